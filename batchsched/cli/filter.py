"""`batchsched filter`: for each pending pod and node, what kube-scheduler would say now."""

import sys

import click

from batchsched.cli import options
from batchsched.cli.output import write_whole


@click.command("filter")
@click.argument("snapshots", metavar="SNAPSHOT...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="FILE", help="Write to this file instead of stdout.")
@options.scheduler_names("Only pods of this scheduler; repeatable. Default: any.")
def filter_command(
    snapshots: tuple[str, ...], output: str | None, scheduler_names: tuple[str, ...]
) -> None:
    """Say which nodes each pending pod fits, and why not.

    SNAPSHOT is what `kubectl get nodes,pods,... -A -o json` printed: files, folders, or - for
    stdin. The answer is JSON: each pending pod, each node, and the reasons that kube-scheduler's
    filters would give there against the running pods alone; none where the pod fits.
    """
    import orjson

    from batchsched.cli.files import load
    from batchsched.feasibility.report import filter_report
    from batchsched.snapshot.snapshot import pending

    snapshot, _ = load(snapshots)
    report = filter_report(snapshot, pending(snapshot, scheduler_names))
    content = orjson.dumps(report, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        write_whole(output, content)
