"""Ends: when a pod will be gone, as far as it says so.

A pod says so by ``activeDeadlineSeconds``, which the kubelet enforces, or by the annotation
``batchsched.io/expected-duration``, which is believed. Reads no clock: ``now_s`` is an argument.
"""

from datetime import UTC, datetime

from batchsched.snapshot.durations import seconds
from batchsched.snapshot.pod import Pod

EXPECTED_DURATION = "batchsched.io/expected-duration"
STARTS_WITHIN_S = 5.0
"""From the close of a window until a pod of it has started: it is solved, bound, and noticed by the
kubelet. Without it pods that fill a gap would end late each by this, one after the other."""
KEPT_RUNNING = frozenset(
    {"DaemonSet", "Node", "ReplicaSet", "ReplicationController", "StatefulSet"}
)
"""Controllers whose pods end only to come again."""


def duration_s(pod: Pod) -> float | None:
    """How long a pod runs at most, from its start; ``None`` where it does not say."""
    found = [] if pod.spec.deadline_s is None else [float(pod.spec.deadline_s)]
    for key, written in pod.annotations:
        if key == EXPECTED_DURATION:
            try:
                found.append(seconds(written))
            except ValueError:
                continue  # what is no duration says nothing
    return min(found, default=None)


def end_s(pod: Pod, now_s: float) -> float | None:
    """When a pod that has a node will be gone, not before now; ``None`` where it does not say.

    One that has not started yet, as far as is known, starts now at the earliest.
    """
    if pod.deleting:
        return now_s
    takes_s = duration_s(pod)
    if takes_s is None:
        return None
    started_s = seconds_of(pod.started)
    return max(now_s, (now_s if started_s is None else started_s) + takes_s)


def keeps_running(pod: Pod) -> bool:
    """Whether nobody can wait for the end of a pod: a controller keeps it up, and it names none."""
    kept = pod.owner is not None and pod.owner.kind in KEPT_RUNNING
    return kept and not pod.deleting and duration_s(pod) is None


def seconds_of(written: str) -> float | None:
    """A time as Kubernetes writes it, in seconds since 1970; ``None`` if it is none."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
