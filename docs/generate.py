"""Writes the parts of the docs that the program itself knows best, so that they cannot be wrong.

`make docs` writes them anew. `make check` runs this with --check, which writes nothing and fails
where a page is not what it would be now.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from batchsched.cli import COMMANDS, main

DOCS = Path(__file__).resolve().parent
WIDTH = 100

CLI_HEAD = """\
# Commands

<!-- Written by `make docs` from the program's own help: change the help, not this page. -->

`kubectl batchsched` is the same program under another name. `eval "$(batchsched completion bash)"`
in `~/.bashrc` (zsh and fish have theirs) lets the shell complete commands, options and files. As
`kubectl batchsched` it is completed by kubectl's own completion, where
`kubectl_complete-batchsched` is on the `PATH`.
"""


def help_of(command: click.Command, parent: click.Context | None, name: str) -> str:
    """Return what `--help` prints, at one width on every terminal."""
    # Only the width, or the page would depend on the terminal it was written in.
    context = click.Context(
        command,
        parent,
        name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def cli_sections() -> Iterator[str]:
    """Yield the page on the command line, a section a command."""
    yield CLI_HEAD
    yield f"```text\n{help_of(main, None, 'batchsched')}\n```\n"
    top = click.Context(main, info_name="batchsched")
    for name in COMMANDS:
        command = main.get_command(top, name)
        if command is None:
            message = f"the command {name} is in the table and cannot be found"
            raise LookupError(message)
        yield f"## batchsched {name}\n\n```text\n{help_of(command, top, name)}\n```\n"


def pages() -> dict[Path, str]:
    """Return each generated page, by its path."""
    return {DOCS / "cli.md": "\n".join(cli_sections())}


def stale() -> list[Path]:
    """Return the pages that are not what they would be now."""
    return [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if old := stale():
            names = ", ".join(path.name for path in old)
            sys.exit(f"docs/{names} does not say what the program says; run: make docs")
    else:
        for page, content in pages().items():
            page.write_text(content, encoding="utf-8")
