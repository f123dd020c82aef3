"""`batchsched snapshot`: a live cluster into a file that `solve` reads."""

from __future__ import annotations

import gzip
import sys
from typing import TYPE_CHECKING, Any

import click

from batchsched.cli import options
from batchsched.cli.output import check_writable, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_BYTES = 32


@click.command()
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="-",
    show_default="stdout",
    help="Write to this file; packed where its name ends in .gz.",
)
@click.option(
    "--redact",
    is_flag=True,
    help="Replace all names, labels and annotations by hashes; the placement stays the same.",
)
@options.kubeconfig
@options.context
def snapshot(output: str, redact: bool, kubeconfig: str | None, context: str | None) -> None:
    """Read a live cluster into a snapshot.

    The file is a List as `kubectl get -o json` prints it, cut down to the fields that scheduling
    reads: no environment variables, no arguments, no secrets. With --redact two snapshots have
    different hashes.
    """
    check_writable(output)
    content = live(kubeconfig, context, redact=redact)
    write_whole(output, gzip.compress(content, mtime=0) if output.endswith(".gz") else content)


def live(kubeconfig: str | None, context: str | None, *, redact: bool) -> bytes:
    """The live cluster as a List, cut down to what scheduling reads."""
    import orjson

    from batchsched.kube.connection import Connection
    from batchsched.kube.export import exported
    from batchsched.snapshot.redact import Names, reduced

    connection = Connection.open(kubeconfig=kubeconfig, context=context)
    found = list(exported(connection, _left_out, _progress()))
    names = Names(_key() if redact else None)
    names.compare(raw for _, raw in found)
    items: list[dict[str, Any]] = list(reduced(found, names))
    return orjson.dumps(
        {"apiVersion": "v1", "kind": "List", "items": items}, option=orjson.OPT_APPEND_NEWLINE
    )


def _key() -> bytes:
    """A key that nobody keeps."""
    import secrets

    return secrets.token_bytes(KEY_BYTES)


def _left_out(why: str) -> None:
    click.echo(f"Left out: {why}", err=True)


def _progress() -> Callable[[str, int], None]:
    """Says what was read, on a terminal."""

    def say(label: str, count: int) -> None:
        if count and sys.stderr.isatty():
            click.echo(f"{count:>7} {label}", err=True)

    return say
