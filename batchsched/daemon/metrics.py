"""Metrics for Prometheus: kube-scheduler's names where the meaning is the same, ours for solves.

Dashboards and alerts that people have for kube-scheduler work on the first kind. Counters are told
of what happened; gauges are set by the loop about once a second, never read from its queue by the
thread that serves them. Labels are few: no pod, no node and no message is one.
"""

from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from batchsched.cycle import Cycle, Place
from batchsched.daemon.ports import Answer, BindWrite, DeleteWrite, EvictWrite, WindowRecord
from batchsched.plan.plan import Plan

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
_SLI_SECONDS = (*_SECONDS, 160.0, 320.0, 640.0, 1280.0, 2560.0)
_PODS = (1, 2, 5, 10, 50, 100, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000)
_PHASES = ("compile", "greedy", "relax", "search", "verify", "total")
_QUEUES = {
    Place.WAITING: "gang",
    Place.READY: "active",
    Place.SOLVING: "active",
    Place.BINDING: "active",
    Place.RESTING: "unschedulable",
    Place.NOMINATED: "nominated",
}
_PLUGINS = (
    ("Too many pods", "NodeResourcesFit"),
    ("Insufficient ", "NodeResourcesFit"),
    ("untolerated taint", "TaintToleration"),
    ("were unschedulable", "NodeUnschedulable"),
    ("node affinity/selector", "NodeAffinity"),
    ("free ports", "NodePorts"),
    ("topology spread", "PodTopologySpread"),
    ("affinity rules", "InterPodAffinity"),
    ("PersistentVolume", "VolumeBinding"),
    ("persistent volume", "VolumeBinding"),
    ("max volume count", "NodeVolumeLimits"),
    ("volume zone", "VolumeZone"),
)
"""Words of a message, and the plugin of kube-scheduler whose words they are."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """What there is at one moment: what the loop knows, and what the adapter tells of itself."""

    leading: bool = False
    pending: dict[str, int] = field(default_factory=dict)
    partial_gangs: int = 0
    cache: dict[str, int] = field(default_factory=dict)
    """How many objects of each kind are in the cache."""
    watch_restarts: dict[str, int] = field(default_factory=dict)
    """Since the start, by resource."""


def queue_gauges(cycle: Cycle) -> dict[str, int]:
    """How many pods wait in each of the queues, in kube-scheduler's words where it has some."""
    found = dict.fromkeys(sorted(set(_QUEUES.values())), 0)
    for entry in cycle.queue.entries.values():
        found[_QUEUES[entry.place]] += 1
    return found


class Metrics:
    """All metrics of a process, in a registry of its own."""

    def __init__(self, *, process: bool = True) -> None:
        """Start at zero.

        Args:
            process: Whether to tell of the process too: memory, processor time, open files.
        """
        self.registry = CollectorRegistry()
        if process:
            for collector in (ProcessCollector, PlatformCollector, GCCollector):
                collector(registry=self.registry)
        self._of_kube_scheduler()
        self._of_windows()
        self._of_writes()
        self._restarts: dict[str, int] = {}

    def _of_kube_scheduler(self) -> None:
        self.attempts = self._counter(
            "scheduler_schedule_attempts_total",
            "Attempts to place a pod, by their result.",
            ("result", "profile"),
        )
        self.algorithm = self._histogram(
            "scheduler_scheduling_algorithm_duration_seconds", "Solves.", _SECONDS
        )
        self.attempt = self._histogram(
            "scheduler_scheduling_attempt_duration_seconds",
            "From the end of a window's collecting to the last of its bindings.",
            _SECONDS,
            ("profile",),
        )
        self.pending = self._gauge("scheduler_pending_pods", "Pods that wait.", ("queue",))
        self.unschedulable = self._gauge(
            "scheduler_unschedulable_pods",
            "Pods that the last window of a profile left, by the plugin that refused nodes.",
            ("plugin", "profile"),
        )
        self.cache = self._gauge("scheduler_cache_size", "Objects in the cache.", ("type",))
        self.preemptions = self._counter(
            "scheduler_preemption_attempts_total", "Plans that evict pods."
        )
        self.victims = self._histogram(
            "scheduler_preemption_victims", "Pods that a plan evicts, if it evicts any.", _PODS
        )
        self.sli = self._histogram(
            "scheduler_pod_scheduling_sli_duration_seconds",
            "From the creation of a pod to its binding, by the clock on the wall.",
            _SLI_SECONDS,
        )

    def _of_windows(self) -> None:
        self.leader = self._gauge("batchsched_leader", "1 if this process decides, else 0.")
        self.windows = self._counter(
            "batchsched_windows_total",
            "Windows, by the status of their plan (Failed: there was none) and what closed them.",
            ("status", "closed_by", "profile"),
        )
        self.window_pods = self._histogram("batchsched_window_pods", "Pods of a window.", _PODS)
        self.phases = self._histogram(
            "batchsched_phase_duration_seconds", "Phases of a window.", _SECONDS, ("phase",)
        )
        self.gap = self._gauge(
            "batchsched_solve_gap",
            "Of the last plan: the largest gap between placed pods and the proven bound.",
            ("profile",),
        )
        self.partial_gangs = self._gauge("batchsched_partial_gangs", "Half-started gangs.")

    def _of_writes(self) -> None:
        self.binds = self._counter(
            "batchsched_binds_total", "Bindings that were asked for.", ("result",)
        )
        self.conflicts = self._counter(
            "batchsched_bind_conflicts_total", "Bindings that were refused.", ("reason",)
        )
        self.evictions = self._counter(
            "batchsched_evictions_total", "Evictions that were asked for.", ("result",)
        )
        self.releases = self._counter(
            "batchsched_gang_releases_total", "Members of half-started gangs that were deleted."
        )
        self.restarts = self._counter(
            "batchsched_watch_restarts_total", "Watches that began anew.", ("resource",)
        )
        self.dropped = self._counter(
            "batchsched_events_dropped_total",
            "Events, conditions and statuses that were not published.",
            ("kind", "reason"),
        )

    def recorded(self, window: WindowRecord) -> None:
        """Count a window that is over."""
        plan, profile = window.plan, window.profile
        status = plan.status if plan is not None else "Failed"
        self.windows.labels(status, window.closed_by, profile).inc()
        self.window_pods.observe(window.pods)
        self.attempt.labels(profile).observe(max(window.ended_s - window.closed_s, 0.0))
        self.attempts.labels("scheduled", profile).inc(window.bound)
        if plan is None:
            self.attempts.labels("error", profile).inc(window.pods)
            return
        self.attempts.labels("unschedulable", profile).inc(len(plan.unplaced))
        self.attempts.labels("error", profile).inc(window.refused)
        seconds = plan.solver.seconds.model_dump()
        for phase in _PHASES:
            self.phases.labels(phase).observe(seconds[phase])
        self.phases.labels("bind").observe(max(window.ended_s - window.solved_s, 0.0))
        self.algorithm.observe(seconds["total"])
        placed = [tier.gap for tier in plan.tiers if tier.name.startswith("placed/")]
        self.gap.labels(profile).set(max(placed, default=0.0))
        for plugin, count in unschedulable(plan).items():
            self.unschedulable.labels(plugin, profile).set(count)
        if plan.evictions:
            self.preemptions.inc()
            self.victims.observe(len(plan.evictions))

    def answered(self, answer: Answer) -> None:
        """Count a write that was answered."""
        refused = answer.refusal
        match answer.write:
            case BindWrite(dry_run=False):
                self.binds.labels("bound" if refused is None else "refused").inc()
            case EvictWrite(dry_run=False):
                self.evictions.labels("accepted" if refused is None else "refused").inc()
            case DeleteWrite():
                self.releases.inc(refused is None)
            case _:
                pass
        if refused is not None and isinstance(answer.write, BindWrite):
            self.conflicts.labels(refused.partition(":")[0]).inc()

    def not_published(self, kind: str, reason: str) -> None:
        """Count what nobody was told of; from any thread."""
        self.dropped.labels(kind, reason).inc()

    def set(self, now: Gauges) -> None:
        """Set what there is now."""
        self.leader.set(now.leading)
        self.partial_gangs.set(now.partial_gangs)
        for queue, count in now.pending.items():
            self.pending.labels(queue).set(count)
        for kind, count in now.cache.items():
            self.cache.labels(kind).set(count)
        for resource, count in now.watch_restarts.items():
            self.restarts.labels(resource).inc(max(count - self._restarts.get(resource, 0), 0))
            self._restarts[resource] = count

    def text(self) -> bytes:
        """What is scraped."""
        return generate_latest(self.registry)

    def _counter(self, name: str, says: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, says, labels, registry=self.registry)

    def _gauge(self, name: str, says: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, says, labels, registry=self.registry)

    def _histogram(
        self, name: str, says: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
    ) -> Histogram:
        return Histogram(name, says, labels, buckets=buckets, registry=self.registry)


def unschedulable(plan: Plan) -> dict[str, int]:
    """How many pods each plugin has a part in leaving; a pod counts for each of them."""
    found = dict.fromkeys(sorted({plugin for _, plugin in _PLUGINS}), 0)
    for message in (pod.message for pod in plan.unplaced):
        for plugin in {plugin for words, plugin in _PLUGINS if words in message}:
            found[plugin] += 1
    return found
