"""Ask the filters about one pod, so that a test reads as the rule that it is about."""

from collections.abc import Iterable
from typing import Any

from batchsched.feasibility.report import filter_report
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from tests.builders import make_snapshot, window_of


def reasons(
    pod: Pod, nodes: Iterable[Node], running: Iterable[Pod] = (), **objects: Any
) -> dict[str, list[str]]:
    """What the filters say of one pending pod on each node, by node name."""
    snapshot = make_snapshot(nodes, [pod, *running], **objects)
    return filter_report(snapshot, window_of(snapshot))[pod.full_name]


def fits(pod: Pod, nodes: Iterable[Node], running: Iterable[Pod] = (), **objects: Any) -> list[str]:
    """The nodes that one pending pod fits, sorted."""
    return sorted(name for name, why in reasons(pod, nodes, running, **objects).items() if not why)
