"""The command `batchsched`: which commands there are, and how each of them may end.

A command is imported when it is called, not when it is listed: the solver and pandas take a second
to import, and `--help` or a mistyped option should not wait for them. So the table below holds
each command's line of help, and nothing here may import a layer at the top of the file; nor may a
command, whose own `--help` should not wait either.

Failing is decided once, in `Commands.main`, with the exit codes that people script against:
0 done, 1 a defect of ours, 2 bad usage or bad input, 4 the live cluster could not be reached or
refused, 130 interrupted, 141 the reader of our output left. A command leaves with another code by
returning it (3: unplaced pods, or violations).
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from batchsched import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPLETE = "_BATCHSCHED_COMPLETE"
"""The variable by which the scripts of `batchsched completion` ask what may come next."""
DONE, DEFECT, BAD_INPUT, NO_CLUSTER, INTERRUPTED, READER_LEFT = 0, 1, 2, 4, 130, 141


class LazyCommand(NamedTuple):
    """Where a command lives ("module:attribute"), and its line in `batchsched --help`."""

    path: str
    help: str


COMMANDS = {
    "solve": LazyCommand(
        "batchsched.cli.solve:solve", "Place the pending pods of a snapshot, and prove how well."
    ),
    "what-if": LazyCommand(
        "batchsched.cli.what_if:what_if",
        "Add, remove or change nodes and workloads, and say what changes.",
    ),
    "compare": LazyCommand(
        "batchsched.cli.compare:compare", "Place pending pods as other schedulers would, and here."
    ),
    "audit": LazyCommand(
        "batchsched.cli.audit:audit", "Say what a solve would gain over a cluster as it is."
    ),
    "filter": LazyCommand(
        "batchsched.cli.filter:filter_command",
        "Say which nodes each pending pod fits, and why not.",
    ),
    "explain": LazyCommand(
        "batchsched.cli.explain:explain",
        "Say what keeps a pod or a group out, and what would help.",
    ),
    "verify": LazyCommand(
        "batchsched.cli.verify:verify", "Check a plan with the independent checker."
    ),
    "snapshot": LazyCommand(
        "batchsched.cli.snapshot:snapshot", "Read a live cluster into a file, redacted if you want."
    ),
    "apply": LazyCommand(
        "batchsched.cli.apply:apply", "Carry a plan out on a live cluster, as far as it holds."
    ),
    "simulate": LazyCommand(
        "batchsched.cli.simulate:simulate",
        "Run a workload, window by window, on the embedded cluster.",
    ),
    "run": LazyCommand("batchsched.cli.run:run", "Schedule the pods of a live cluster."),
    "report": LazyCommand(
        "batchsched.cli.report:report", "Make an HTML page of a plan or of a simulation."
    ),
    "completion": LazyCommand(
        "batchsched.cli.completion:completion", "Let bash, zsh or fish complete what is typed."
    ),
}

ALIASES = {"why": "explain"}
"""Other names of commands, that people guess."""


class Commands(click.Group):
    """A click group that imports a command when it is called, and knows how a command may end."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in the order of the table: the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command. None where there is no such command, as click asks."""
        own = ALIASES.get(cmd_name, cmd_name)
        if own not in COMMANDS:
            return None
        module, attribute = COMMANDS[own].path.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].help) for name in self.list_commands(ctx)])

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401 - click's
        """Read the command line; `--help` prints here already."""
        with _noticing_that_the_reader_left():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Run the command."""
        with _noticing_that_the_reader_left():
            return super().invoke(ctx)

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's
        """Run, and end the process with an exit code of the contract."""
        kwargs |= {"standalone_mode": False, "complete_var": COMPLETE}
        if COMPLETE in os.environ:
            from batchsched.cli.completion import answer_shells

            answer_shells()
        try:
            result = super().main(*args, **kwargs)
            sys.stdout.flush()  # here, where a reader that left can still be answered
        except SystemExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the outermost place; `_ending` says what it was
            sys.exit(_ending(error))
        sys.exit(result if isinstance(result, int) else DONE)


class _ReaderLeft(Exception):  # noqa: N818 - what happened, and no error
    """Nobody reads our output any more (`batchsched ... | head`)."""


@contextmanager
def _noticing_that_the_reader_left() -> Iterator[None]:
    """Rename the error before click meets it, which would end the process as if we had failed."""
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderLeft from error


def _ending(error: BaseException) -> int:
    """Say what ended the command, and return the exit code for it."""
    if isinstance(error, _ReaderLeft | BrokenPipeError):
        # What is still buffered goes nowhere, or Python would fail over it on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("Interrupted", err=True)
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        return BAD_INPUT
    if (line := _bad_input(error)) is not None:
        click.echo(f"Error: {line}", err=True)
        return BAD_INPUT
    if _is_of_the_cluster(error):
        click.echo(f"Error: {error}", err=True)
        return NO_CLUSTER
    traceback.print_exception(error)
    versions = f"batchsched {__version__}, Python {platform.python_version()}, {sys.platform}"
    click.echo(
        f"batchsched has a defect: {type(error).__name__}: {error}\n"
        f"Please report it with the lines above, the command, and: {versions}",
        err=True,
    )
    return DEFECT


def _bad_input(error: BaseException) -> str | None:
    """Return the line for an error that the user can mend, None for any other error."""
    # Imported only now that something failed, for the sake of `--help`.
    from batchsched.snapshot.errors import InputError

    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None and not _is_ours(error.filename):
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return None


def _is_of_the_cluster(error: BaseException) -> bool:
    """Tell whether an error says that the live cluster could not be reached, or refused."""
    from batchsched.kube.errors import ClusterError

    return isinstance(error, ClusterError)


def _is_ours(filename: str | bytes) -> bool:
    """Tell whether a file belongs to the installation; any other was named by the user."""
    path = Path(os.fsdecode(filename)).absolute()
    return path.is_relative_to(sys.prefix) or path.is_relative_to(Path(__file__).parents[1])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 a defect of ours, 2 bad usage or input, 3 unplaced or violated, "
    "4 no cluster.",
)
@click.version_option(__version__, prog_name="batchsched", message="%(prog)s %(version)s")
def main() -> None:
    """Decide for many pending pods at once where in a Kubernetes cluster they run."""
