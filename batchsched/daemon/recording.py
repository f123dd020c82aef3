"""The recorder of the live scheduler: what happens goes to events, metrics, logs and records.

Each of them is told the same; none of them can hold the loop up or end it.
"""

import logging
from collections import deque
from collections.abc import Collection
from typing import Protocol

from batchsched.cycle import Announce, PodKey
from batchsched.daemon.clock import SystemClock
from batchsched.daemon.metrics import Metrics
from batchsched.daemon.ports import (
    Answer,
    BindWrite,
    DeleteWrite,
    EvictWrite,
    NominateWrite,
    WindowRecord,
)
from batchsched.daemon.records import Records
from batchsched.daemon.translation import SOLVE_ID
from batchsched.plan.plan import Plan
from batchsched.snapshot.ends import seconds_of
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.snapshot import Snapshot, Window

WINDOWS_MAX = 50
"""Windows that are remembered, for who asks for the state of the process."""
_QUIET = frozenset({"Scheduled", "FailedScheduling"})
"""Reasons that come by the thousand, and are events of the pod as well."""
log = logging.getLogger(__name__)


class Publisher(Protocol):
    """Where people look in Kubernetes: events, and conditions of pods."""

    def announce(self, event: Announce) -> None:
        """Publish, later; never waits."""
        ...

    def groups(self, plan: Plan, groups: Collection[PodGroup]) -> None:
        """Publish what became of a plan's groups, when all its bindings were announced."""
        ...


class LiveRecorder:
    """Tells everybody.

    Args:
        metrics: Counts.
        clock: For how long pods waited.
        publisher: Publishes; None: nobody is told in Kubernetes.
        records: Keeps; None: nothing is kept.
    """

    def __init__(
        self,
        metrics: Metrics,
        clock: SystemClock,
        publisher: Publisher | None = None,
        records: Records | None = None,
    ) -> None:
        """Have been told nothing."""
        self._metrics, self._clock = metrics, clock
        self._publisher, self._records = publisher, records
        self._bound: dict[PodKey, float] = {}
        self.windows: deque[WindowRecord] = deque(maxlen=WINDOWS_MAX)

    def announce(self, event: Announce) -> None:
        """Publish an event about a pod."""
        level = logging.DEBUG if event.reason in _QUIET else logging.INFO
        fields = {"pod": "/".join(event.pod), "reason": event.reason}
        log.log(level, "%s", event.message, extra=fields)
        if self._publisher is not None:
            self._publisher.announce(event)

    def record(self, window: WindowRecord, snapshot: Snapshot, pods: Window) -> None:
        """Count, log and keep a window that is over."""
        self.windows.append(window)
        self._metrics.recorded(window)
        for pod in pods.pods:
            created_s = seconds_of(pod.created)
            if pod.key in self._bound and created_s is not None:
                self._metrics.sli.observe(max(self._bound[pod.key] - created_s, 0.0))
        self._bound.clear()
        if self._publisher is not None and window.plan is not None:
            self._publisher.groups(window.plan, groups_of(snapshot, pods))
        log.info("window %d is over", window.window, extra=told(window))
        if self._records is not None:
            self._records.keep(window, snapshot, pods)

    def dump(self, window: int, snapshot: Snapshot, pods: Window, reason: str) -> None:
        """Keep the input of a failed solve, where records are kept."""
        kept = "its input is recorded" if self._records else "with --record its input would be kept"
        fields = {"window": window, "pods": len(pods.pods), "reason": reason}
        log.error("a window has no plan; %s", kept, extra=fields)
        if self._records is not None:
            self._records.dump(window, snapshot, pods, reason)

    def answered(self, answer: Answer) -> None:
        """Count and log a write that was answered."""
        self._metrics.answered(answer)
        write, refusal = answer.write, answer.refusal
        done = refusal is None
        match write:
            case BindWrite(binding=binding, dry_run=False, notes=notes):
                if done:
                    self._bound[binding.pod] = self._clock.wall_s()
                fields = {
                    "pod": "/".join(binding.pod),
                    "node": binding.node,
                    "podGroup": "/".join(binding.group[:2]) if binding.group else None,
                    "solveID": dict(notes).get(SOLVE_ID),
                    "reason": refusal,
                }
                level = logging.DEBUG if done else logging.INFO
                log.log(level, "bound" if done else "not bound", extra=fields)
            case EvictWrite(dry_run=False) | DeleteWrite():
                what = "evicted" if isinstance(write, EvictWrite) else "deleted"
                fields = {"pod": "/".join(write.pod), "why": write.message, "reason": refusal}
                log.info("%s", what if done else f"not {what}", extra=fields)
            case BindWrite() | EvictWrite() | NominateWrite():
                if not done:
                    log.info("refused", extra={"write": type(write).__name__, "reason": refusal})


def groups_of(snapshot: Snapshot, pods: Window) -> list[PodGroup]:
    """The groups that these pods belong to, in the order of the snapshot."""
    keys = {pod.key for pod in pods.pods}
    found = {index for key, index in snapshot.group_of if key in keys}
    return [snapshot.groups[index] for index in sorted(found)]


def told(window: WindowRecord) -> dict[str, object]:
    """What a line of the log says of a window."""
    plan = window.plan
    found: dict[str, object] = {
        "window": window.window,
        "solveID": window.solve_id,
        "profile": window.profile,
        "closedBy": window.closed_by,
        "pods": window.pods,
        "bound": window.bound,
        "refused": window.refused,
        "waiting": window.waiting,
        "solveSeconds": round(window.solved_s - window.closed_s, 3) if window.solved_s else None,
        "bindSeconds": round(window.ended_s - window.solved_s, 3) if window.solved_s else None,
    }
    if plan is None:
        return {**found, "status": "Failed", "failure": window.failure}
    placed = [tier.gap for tier in plan.tiers if tier.name.startswith("placed/")]
    return {**found, "status": plan.status, "gap": max(placed, default=0.0)}
