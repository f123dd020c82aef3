"""The controllers of the embedded cluster: Jobs make pods, CronJobs make Jobs.

As much of kube-controller-manager as a workload for a scheduler needs: parallelism, completions,
replacement of pods that were deleted, ``concurrencyPolicy``, and the end of finished Jobs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from croniter import croniter

from batchsched.cycle import PodKey
from batchsched.daemon.ports import PodChange
from batchsched.sim.cluster import SimCluster
from batchsched.snapshot.pod import OwnerRef, Pod

REPLACE_AFTER_S = 1.0
"""How long the Job controller takes to replace a pod that was deleted or failed."""


@dataclass(frozen=True, slots=True)
class JobTemplate:
    """A Job: its pods are copies of one pod under other names."""

    namespace: str
    name: str
    pod: Pod
    parallelism: int = 1
    completions: int = 1
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class CronTemplate:
    """A CronJob; ``policy`` is Allow, Forbid or Replace."""

    job: JobTemplate
    schedule: str
    policy: str = "Allow"
    suspended: bool = False


@dataclass(slots=True)
class _Job:
    template: JobTemplate
    uid: str
    made: int = 0
    succeeded: int = 0
    active: set[PodKey] = field(default_factory=set)


class Controllers:
    """Runs the Jobs and CronJobs of one cluster.

    Args:
        cluster: Where the pods are.
        start: The date and time at second 0, for schedules.
    """

    def __init__(self, cluster: SimCluster, start: datetime) -> None:
        """Run nothing yet."""
        self._cluster, self._start = cluster, start
        self._jobs: dict[tuple[str, str], _Job] = {}
        self._births = 0
        self.finished: list[tuple[str, str, float]] = []
        """(namespace, name, second) of each Job that completed."""
        cluster.listeners.append(self._note)

    def start_job(self, template: JobTemplate) -> None:
        """Create a Job, and its first pods."""
        key = (template.namespace, template.name)
        assert key not in self._jobs, f"Job {'/'.join(key)} exists"
        self._births += 1
        self._jobs[key] = _Job(template, f"uid-job-{self._births}")
        self._declare(key)
        self._fill(key)

    def _declare(self, key: tuple[str, str]) -> None:
        """Say how many pods of a Job must start together: who succeeded has done so."""
        job = self._jobs[key]
        at_once = min(job.template.parallelism, job.template.completions)
        self._cluster.grouping.declared.jobs[key] = max(at_once - job.succeeded, 0)
        self._cluster.tell_again(job.active)

    def start_cron(self, cron: CronTemplate, until_s: float) -> None:
        """Let a CronJob fire at each of its times until the end."""
        if cron.suspended:
            return
        for at_s in self._times(cron.schedule, until_s):
            minute = int((self._start + timedelta(seconds=at_s)).timestamp() // 60)
            name = f"{cron.job.name}-{minute}"
            job = replace(cron.job, name=name)
            self._cluster.clock.at(at_s, partial(self._fire, cron, job))

    def _times(self, schedule: str, until_s: float) -> Iterator[float]:
        """The seconds at which a schedule fires."""
        before = self._start - timedelta(seconds=1)
        times = croniter(schedule, before)
        while (at_s := (times.get_next(datetime) - self._start).total_seconds()) < until_s:
            yield at_s

    def _fire(self, cron: CronTemplate, job: JobTemplate) -> None:
        prefix = f"{cron.job.name}-"
        running = [
            key
            for key in self._jobs
            if key[0] == job.namespace and key[1].rpartition("-")[0] + "-" == prefix
        ]
        if running and cron.policy == "Forbid":
            return
        if running and cron.policy == "Replace":
            for key in running:
                self._end(key)
        self.start_job(job)

    def _fill(self, key: tuple[str, str]) -> None:
        """Create the pods that a Job lacks."""
        job = self._jobs.get(key)
        if job is None:
            return
        template = job.template
        wanted = min(template.parallelism, template.completions - job.succeeded)
        owner = OwnerRef("batch/v1", "Job", template.name, job.uid)
        while len(job.active) < wanted:
            pod = replace(
                template.pod,
                namespace=template.namespace,
                name=f"{template.name}-{job.made:03}",
                uid="",
                owner=owner,
                created=self._now(),
            )
            job.made += 1
            job.active.add(pod.key)
            self._cluster.create(pod, template.duration_s)

    def _now(self) -> str:
        now = self._start + timedelta(seconds=self._cluster.clock.now_s())
        return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _note(self, change: PodChange) -> None:
        """Count what succeeded, replace what was lost."""
        pod = change.new or change.old
        if pod is None or pod.owner is None:
            return
        key = (pod.namespace, pod.owner.name)
        job = self._jobs.get(key)
        if job is None or pod.key not in job.active:
            return
        if change.new is not None and change.new.phase == "Succeeded":
            job.active.discard(pod.key)
            job.succeeded += 1
            if job.succeeded >= job.template.completions:
                now_s = self._cluster.clock.now_s()
                self.finished.append((*key, now_s))
                self._cluster.clock.at(now_s, lambda: self._end(key))
            else:
                self._declare(key)
                self._cluster.clock.after(0.0, lambda: self._fill(key))
        elif change.new is None:
            job.active.discard(pod.key)
            self._cluster.clock.after(REPLACE_AFTER_S, lambda: self._fill(key))

    def _end(self, key: tuple[str, str]) -> None:
        """Delete a Job and its pods."""
        job = self._jobs.pop(key, None)
        if job is None:
            return
        self._cluster.grouping.declared.jobs.pop(key, None)
        self._cluster.grouping.changed()
        for pod in [p for p in self._cluster.pods.values() if p.owner and p.owner.uid == job.uid]:
            self._cluster.remove(pod.key)
