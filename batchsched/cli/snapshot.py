"""`batchsched snapshot`: a live cluster into a file that `solve` reads."""

from __future__ import annotations

import gzip

import click

from batchsched.cli import options
from batchsched.cli.output import check_writable, write_whole

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
    from batchsched.cli.live_snapshot import exported_list

    check_writable(output)
    content = exported_list(kubeconfig, context, _key() if redact else None)
    write_whole(output, gzip.compress(content, mtime=0) if output.endswith(".gz") else content)


def _key() -> bytes:
    """A key that nobody keeps."""
    import secrets

    return secrets.token_bytes(KEY_BYTES)
