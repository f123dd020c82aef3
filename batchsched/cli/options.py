"""Options that several commands have: the same name, the same values, said once.

What an option means to a command is the command's to say, so help texts that differ are arguments.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import click

from batchsched.cli.numbers import FiniteRange

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
kubeconfig = click.option(
    "--kubeconfig", metavar="FILE", help="Which cluster and who we are; else as kubectl."
)
context = click.option(
    "--context", metavar="NAME", help="One of the kubeconfig; default: its current one."
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


def form(meaning: str) -> Option:
    """In what form to print; given to the command as ``form``."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json", "yaml"]),
        default="table",
        show_default=True,
        help=meaning,
    )
