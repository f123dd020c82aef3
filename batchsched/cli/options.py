"""Options that several commands have: the same name, the same values, said once.

What an option means to a command is the command's to say, so help texts that differ are arguments.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from batchsched.cli.numbers import FiniteRange
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.errors import InputError

if TYPE_CHECKING:
    from batchsched.scheduler import Limits

Command = TypeVar("Command", bound=Callable[..., Any])


class Option(Protocol):
    """What click makes of an option: it is put over a command."""

    def __call__(self, command: Command, /) -> Command:
        """Give the command with the option."""
        ...


profile = click.option(
    "--profile", metavar="FILE|NAME", help="Which rules and tiers; default: default."
)
workers = click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Threads; default: all cores."
)
preemption = click.option(
    "--preemption",
    type=click.Choice(["never", "lower-priority"]),
    default="never",
    show_default=True,
    help="Whether running pods may be evicted for pods of higher priority.",
)
moves = click.option(
    "--moves",
    default="0",
    show_default=True,
    metavar="N|unlimited",
    help="How many running pods may be moved to another node.",
)
kubeconfig = click.option(
    "--kubeconfig", metavar="FILE", help="Which cluster and who we are; else as kubectl."
)
context = click.option(
    "--context", metavar="NAME", help="One of the kubeconfig; default: its current one."
)


def allowance(preemption: str, moves: str) -> Allowance:
    """What the options ``--preemption`` and ``--moves`` allow to be done to running pods."""
    if moves != "unlimited" and not moves.isdecimal():
        raise InputError(f"is {moves!r}; give a number, or unlimited", source="--moves")
    return Allowance(
        preemption=preemption == "lower-priority",
        moves_max=None if moves == "unlimited" else int(moves),
    )


def cores() -> int:
    """The cores that this process may use: what ``--workers`` is where nobody says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limits(
    time_limit_s: float, workers: int | None, seed: int, *, deterministic: bool = False
) -> Limits:
    """What ``--time-limit``, ``--workers`` and ``--seed`` say; one worker where work is counted."""
    from batchsched.scheduler import Limits  # what --help need not wait for

    return Limits(
        time_limit_s=time_limit_s,
        workers=1 if deterministic else workers or cores(),
        seed=seed,
        deterministic=deterministic,
    )


def scheduler_names(meaning: str) -> Option:
    """Whose pods; given to the command as ``scheduler_names``."""
    return click.option(
        "--scheduler-name", "scheduler_names", multiple=True, metavar="NAME", help=meaning
    )


def time_limit(meaning: str, default_s: float = 10.0) -> Option:
    """How long a solve may take, in seconds."""
    return click.option(
        "--time-limit",
        type=FiniteRange(min=0, min_open=True),
        default=default_s,
        show_default=True,
        metavar="SECONDS",
        help=meaning,
    )


def seed(meaning: str) -> Option:
    """A seed, as OR-Tools takes it."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0, max=2**31 - 1),
        default=0,
        show_default=True,
        metavar="N",
        help=meaning,
    )


def form(meaning: str, *, wide: bool = False) -> Option:
    """In what form to print; given to the command as ``form``.

    Args:
        meaning: What is printed.
        wide: Whether there is more to a table than fits on a terminal; then ``-o`` says it too, as
            with kubectl. Elsewhere that names a file.
    """
    return click.option(
        *(["-o"] if wide else []),
        "--format",
        "form",
        type=click.Choice(["table", *(["wide"] if wide else []), "json", "yaml"]),
        default="table",
        show_default=True,
        help=meaning,
    )
