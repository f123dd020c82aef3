"""`batchsched completion`, and what shells and kubectl ask while somebody types.

The scripts are click's. They ask the command itself what may come next, so they cannot be out of
date; where it knows nothing better, it is the name of a file. kubectl asks a program beside its
plug-in, in the words of its own (cobra's) completion.
"""

from __future__ import annotations

import sys

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

from batchsched.cli import COMPLETE, main

NO_FILES, FILES = 4, 0
"""Directives of cobra: offer these alone; offer files where there are none."""


class _Files(ShellComplete):
    """Offers files where nothing else is known."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """What may come next."""
        found = super().get_completions(args, incomplete)
        return found or [CompletionItem(incomplete, type="file")]


class _Bash(_Files, BashComplete):
    pass


class _Zsh(_Files, ZshComplete):
    pass


class _Fish(_Files, FishComplete):
    pass


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def answer_shells() -> None:
    """Let click answer the scripts as is said above."""
    for name, shell in SHELLS.items():
        add_completion_class(shell, name)


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Print the script that lets a shell complete commands, options and files.

    For bash put `eval "$(batchsched completion bash)"` into ~/.bashrc, for zsh the same with zsh
    into ~/.zshrc; for fish `batchsched completion fish | source` into its config.fish. `kubectl
    batchsched` is completed by kubectl's own completion, from kubectl_complete-batchsched.
    """
    sys.stdout.write(SHELLS[shell](main, {}, "batchsched", COMPLETE).source())


def answer_kubectl() -> None:
    """What `kubectl_complete-batchsched` prints: a line for each completion, then a directive."""
    *before, incomplete = sys.argv[1:] or [""]
    found = ShellComplete(main, {}, "kubectl batchsched", COMPLETE).get_completions(
        before, incomplete
    )
    lines = [f"{item.value}\t{item.help}" if item.help else str(item.value) for item in found]
    sys.stdout.write("".join(f"{line}\n" for line in (*lines, f":{NO_FILES if found else FILES}")))
