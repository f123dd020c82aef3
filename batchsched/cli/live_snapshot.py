"""A live cluster as a snapshot: for the command that writes one, and for those that ask it at once.

Reads what an export holds and nothing more, through the same bytes, so that an answer from the
cluster is the answer from its file.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
import orjson

from batchsched.cli.files import load
from batchsched.kube.connection import Connection
from batchsched.kube.export import exported
from batchsched.snapshot.read import read
from batchsched.snapshot.redact import Names, reduced
from batchsched.snapshot.snapshot import Snapshot


def exported_list(kubeconfig: str | None, context: str | None, key: bytes | None) -> bytes:
    """A List of all that scheduling reads, names hashed where there is a key.

    Raises:
        ClusterError: It could not be reached, or refused.
    """
    connection = Connection.open(kubeconfig=kubeconfig, context=context)
    found = list(exported(connection, _left_out, _progress()))
    names = Names(key)
    names.compare(raw for _, raw in found)
    items: list[dict[str, Any]] = list(reduced(found, names))
    content = {"apiVersion": "v1", "kind": "List", "items": items}
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def load_or_read(paths: Sequence[str], kubeconfig: str | None, context: str | None) -> Snapshot:
    """The snapshot in these files; where none is named, the live cluster.

    Raises:
        UsageError: Both were named.
        InputError: A file cannot be read or is no snapshot.
        ClusterError: The cluster could not be reached, or refused.
    """
    if not paths:
        return read([("the cluster", exported_list(kubeconfig, context, None))])
    if kubeconfig is not None or context is not None:
        raise click.UsageError("Give SNAPSHOT or a cluster (--kubeconfig, --context), not both.")
    return load(paths)[0]


def _left_out(why: str) -> None:
    click.echo(f"Left out: {why}", err=True)


def _progress() -> Callable[[str, int], None]:
    """Says what was read, on a terminal."""

    def say(label: str, count: int) -> None:
        if count and sys.stderr.isatty():
            click.echo(f"{count:>7} {label}", err=True)

    return say
