"""Runs the sessions of the pages again, so that what they show is what the program prints.

A session is a `console` block of commands that need nothing but this program (and `sed`). They run
one after the other in a folder that looks like the checkout; a page has one folder.
Timings are set aside; a line `...` stands for lines that the page leaves out.
`python docs/sessions.py` writes the outputs anew, and tests/docs/test_sessions.py compares them.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(?<=^```console\n)\$ .*?(?=^```$)", re.MULTILINE | re.DOTALL)
RUN = ("batchsched ", "sed ")
SECONDS = re.compile(r"\b\d+\.\d+ s\b")
LEFT_OUT = "..."
MAY_END_WITH = (0, 3)
"""3 is what a command answers that found pods unplaced, or violations."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A command of a page, and what the page says that it prints."""

    command: str
    output: str


def pages() -> list[Path]:
    """The pages that hold a session."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in found if any(map(is_run, BLOCK.findall(page.read_text("utf-8"))))]


def is_run(block: str) -> bool:
    """Whether a block is a session, and not for example an installation."""
    return all(each.command.startswith(RUN) for each in shown(block))


def shown(block: str) -> Iterator[Shown]:
    """The commands of a block; a line that ends with a backslash goes on."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = re.sub(r"\\\n>? *", "", part).partition("\n")
        yield Shown(command, output)


def run(command: str, folder: Path, **variables: str) -> str:
    """What a command prints, as the shell of a reader would show it; trailing blanks aside."""
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # Nothing of the terminal or the shell that this is started from, but what finds the program.
    environment = {"PATH": search, "LC_ALL": "C.UTF-8", **variables}
    result = subprocess.run(  # noqa: S603 -- the commands of our own pages
        ["sh", "-c", command],  # noqa: S607 -- the reader's shell, whichever it is
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode not in MAY_END_WITH:
        message = f"$ {command}\n{result.stdout}ended with {result.returncode}"
        raise RuntimeError(message)
    return "".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines())


def folder_like_the_checkout(folder: Path) -> Path:
    """Let the paths that pages name lead to the files of the checkout."""
    for name in ("docs", "models"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def agree(output: str, printed: str) -> bool:
    """Whether a page shows what was printed, timings and lines left out aside."""
    parts = SECONDS.sub("… s", output).split(f"{LEFT_OUT}\n")
    pattern = "(?:.*\n)*".join(re.escape(part) for part in parts)
    return re.fullmatch(pattern, SECONDS.sub("… s", printed)) is not None


def renewed(text: str, folder: Path) -> str:
    """A page with what its sessions print now; what agrees stays as it is."""

    def block(match: re.Match[str]) -> str:
        lines = []
        if not is_run(match[0]):
            return match[0]
        for each in shown(match[0]):
            printed = run(each.command, folder)
            output = each.output if agree(each.output, printed) else printed
            lines.append(f"$ {each.command}\n{output}")
        return "".join(lines)

    return BLOCK.sub(block, text)


if __name__ == "__main__":
    for page in pages():
        with tempfile.TemporaryDirectory() as name:
            before = page.read_text(encoding="utf-8")
            page.write_text(renewed(before, folder_like_the_checkout(Path(name))), encoding="utf-8")
