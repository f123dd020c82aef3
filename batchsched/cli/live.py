"""The live scheduler, put together: configuration in, a process on a real cluster out.

The one place that knows both the daemon and the Kubernetes adapter. It decides what is started in
which order, and in which order it ends: writes first, then what people read, then the lease, so
that who takes over finds nothing of ours under way.
"""

import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import orjson

from batchsched.cycle import Cycle
from batchsched.daemon import logs
from batchsched.daemon.clock import SystemClock
from batchsched.daemon.configuration import SchedulerConfiguration, SchedulerProfile
from batchsched.daemon.counted import CountedCluster
from batchsched.daemon.health import Health, HealthServer
from batchsched.daemon.loop import Loop, Ports
from batchsched.daemon.metrics import Metrics
from batchsched.daemon.planner import ProcessPlanner
from batchsched.daemon.ports import Cluster
from batchsched.daemon.process import Parts, Process
from batchsched.daemon.recording import LiveRecorder, told
from batchsched.daemon.records import Records
from batchsched.daemon.shadow import ShadowCluster, Summary, Tally
from batchsched.daemon.solving import Effort, Terms
from batchsched.daemon.wake import Wake
from batchsched.kube.announcements import Reporter
from batchsched.kube.cache import Cache
from batchsched.kube.cluster import KubeCluster
from batchsched.kube.connection import Connection
from batchsched.kube.group_versions import GroupVersions
from batchsched.kube.lease import Elector, LeaseSettings
from batchsched.kube.publisher import Publisher
from batchsched.kube.writer import WriteLimits, Writer
from batchsched.plan.verify import Check
from batchsched.profile import constraints_of
from batchsched.snapshot.allowance import NOTHING

OTHER_CONNECTIONS = 48
"""Besides writes: a watch for each kind, lists, events, the lease."""
NO_LEASE_S = 3600.0
"""For how long who needs no lease may write from now on."""
PUBLISH_S, ONCE_PUBLISH_S = 5.0, 60.0
"""How long what people read may take at the end: who runs on is waited for by a kubelet, and who
runs once has just made all of it."""
DEFAULT_SCHEDULER = "default-scheduler"
_NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    kubeconfig: str | None = None
    context: str | None = None
    once: bool = False
    dry_run: bool = False
    shadows_default: bool = False
    """Whether to look at the default scheduler's pods instead of the configured schedulers'."""
    record: Path | None = None


def run_live(configuration: SchedulerConfiguration, options: Options) -> tuple[int, Summary | None]:
    """Run until told to stop, or with ``once`` until nothing more can be placed.

    Returns:
        How many pods of those that waited at the start still do, and what a shadow has seen.

    Raises:
        ClusterError: The cluster cannot be reached, or does not let us.
        InputError: The kubeconfig, an address or a folder cannot be used.
    """
    logs.set_up(configuration.logging.format, configuration.logging.level)
    profiles = profiles_of(configuration, options)
    with ExitStack() as closing:
        live = _Live(configuration, options, profiles, closing)
        with _signals(live.process):
            left = live.process.run()
        summary = live.tally.summary(" and ".join(profiles)) if live.tally is not None else None
    return left, summary


def profiles_of(
    configuration: SchedulerConfiguration, options: Options
) -> dict[str, SchedulerProfile]:
    """The profile of each scheduler whose pods are looked at, by its name."""
    if options.shadows_default:
        return {DEFAULT_SCHEDULER: SchedulerProfile(scheduler_name=DEFAULT_SCHEDULER)}
    return {profile.scheduler_name: profile for profile in configuration.profiles}


def effort_of(configuration: SchedulerConfiguration) -> Effort:
    """The limits of each solve."""
    solve = configuration.solve
    return Effort(solve.time_limit, solve.polish_time_limit, solve.workers, solve.seed)


def lease_of(configuration: SchedulerConfiguration) -> LeaseSettings:
    """The Lease, and who we are."""
    lease = configuration.leader_election
    return LeaseSettings(
        namespace=lease.resource_namespace or own_namespace(),
        name=lease.resource_name,
        identity=f"{socket.gethostname()}_{uuid4()}",
        lease_duration_s=int(lease.lease_duration),
        renew_deadline_s=lease.renew_deadline,
        retry_period_s=lease.retry_period,
    )


def own_namespace() -> str:
    """The namespace of the pod that we run in; kube-system where we run in none."""
    file = Path(_NAMESPACE_FILE)
    return file.read_text(encoding="utf-8").strip() if file.is_file() else "kube-system"


class _Reading:
    """The cache, as a process asks it."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def synced(self) -> bool:
        return self._cache.synced()

    def sizes(self) -> Mapping[str, int]:
        return self._cache.sizes()

    def watch_restarts(self) -> Mapping[str, int]:
        return self._cache.restarts()


class _Live:
    """Everything that runs, each part told how it ends when it begins."""

    def __init__(
        self,
        configuration: SchedulerConfiguration,
        options: Options,
        profiles: Mapping[str, SchedulerProfile],
        closing: ExitStack,
    ) -> None:
        self._configuration, self._options = configuration, options
        self._profiles, self._closing = profiles, closing
        self.clock, self.wake, self.metrics = SystemClock(), Wake(), Metrics()
        self.health = Health(self.clock.now_s)
        self.tally: Tally | None = None
        self._terms = {
            name: Terms(each.rules(), NOTHING if options.dry_run else each.allowance)
            for name, each in profiles.items()
        }
        self._effort = effort_of(configuration)
        # Its child imports the solver meanwhile: the first window need not wait for that.
        self.planner = ProcessPlanner(self._terms, self._effort, self.wake)
        closing.callback(self.planner.close)
        self.connection = self._reached()
        self.records = self._kept()
        self._serve()
        self.cache = Cache(self.connection, Random(os.getpid()), self.wake)
        closing.callback(self.cache.stop)
        self.cache.start()
        self.recorder: LiveRecorder
        self.process = self._shadow() if options.dry_run else self._scheduler()

    def _reached(self) -> Connection:
        """Connect, and see at once whether anybody answers, and lets us read."""
        client = self._configuration.client_connection
        connection = Connection.open(
            kubeconfig=self._options.kubeconfig or client.kubeconfig or None,
            context=self._options.context,
            connections_max=client.in_flight + OTHER_CONNECTIONS,
        )
        reply = connection.call("GET", "/api/v1/nodes", query={"limit": "1"})
        if reply.status != 200:  # noqa: PLR2004 -- HTTP's own word for yes
            raise reply.refusal("list nodes")
        return connection

    def _kept(self) -> Records | None:
        if self._options.record is None:
            return None
        records = Records(self._options.record, self._terms, self._effort)
        self._closing.callback(records.close)
        return records

    def _serve(self) -> None:
        """Listen: at one address for all, or at one for each."""
        checks = self._configuration.healthz_bind_address
        metrics = self._configuration.metrics_bind_address
        if checks:
            text = self.metrics.text if metrics == checks else None
            self._closing.callback(HealthServer(checks, self.health, text).close)
        if metrics and metrics != checks:
            server = HealthServer(metrics, self.health, self.metrics.text, checks=False)
            self._closing.callback(server.close)

    def _scheduler(self) -> Process:
        """The process that writes."""
        configuration, elector = self._configuration, self._elected()
        allowance_s: Callable[[], float] = elector.allowance_s if elector else lambda: NO_LEASE_S
        in_flight = configuration.client_connection.in_flight
        publisher = Publisher(
            self.connection,
            self.clock,
            Reporter(
                socket.gethostname(),
                self.clock.wall,
                lambda _: self.planner.profile,
                self.cache.generation,
            ),
            busy=lambda: writer.free() < in_flight,
            dropped=self.metrics.not_published,
            may_write=lambda: allowance_s() > 0,
            version_of=GroupVersions(self.connection, self.clock),
        )
        writer = Writer(
            self.connection,
            self.clock,
            allowance_s=allowance_s,
            wake=self.wake,
            before_bind=publisher.withdraw,
            limits=WriteLimits(in_flight=in_flight),
            seed=os.getpid(),
        )
        publisher.start()
        self._closing.callback(publisher.stop, ONCE_PUBLISH_S if self._options.once else PUBLISH_S)
        writer.start()
        self._closing.callback(writer.stop)
        self.recorder = LiveRecorder(self.metrics, self.clock, publisher, self.records)
        cluster = KubeCluster(self.cache, writer, self.clock)
        return self._process(cluster, elector)

    def _elected(self) -> Elector | None:
        if not self._configuration.leader_election.leader_elect:
            return None
        elector = Elector(
            self.connection,
            lease_of(self._configuration),
            self.clock,
            wall=self.clock.wall,
            wake=self.wake,
        )
        self._closing.callback(elector.stop)  # the process starts it
        return elector

    def _shadow(self) -> Process:
        """The process that writes nothing, and asks nobody whether it may."""
        self.tally = Tally(tuple(sorted(self._profiles)), self.clock.now_s)
        self.recorder = LiveRecorder(self.metrics, self.clock, None, self.records)
        writer = Writer(self.connection, self.clock, allowance_s=lambda: 0.0, wake=self.wake)
        live = KubeCluster(self.cache, writer, self.clock)  # a writer that was not started
        return self._process(ShadowCluster(live, self.tally, self.wake), None)

    def _process(self, cluster: Cluster, elector: Elector | None) -> Process:
        names = tuple(sorted(self._profiles))
        ports = Ports(
            CountedCluster(cluster, self.recorder.answered),
            self.clock,
            self.planner,
            self.recorder,
            rules_of(self._profiles),
        )
        timing = self._configuration.timing()
        cycle = Cycle(timing, leading=elector is None, profiles=names)
        loop = Loop(cycle, ports, names)
        parts = Parts(
            loop, _Reading(self.cache), self.clock, self.wake, self.metrics, self.health, elector
        )
        return Process(parts, once=self._options.once, on_state=self._tell)

    def _tell(self, state: Any) -> None:  # noqa: ANN401 -- any JSON value
        """Log the state of the process, and keep it beside the records."""
        whole = {**state, "windows": [told(window) for window in self.recorder.windows]}
        log.info("state", extra={"state": whole})
        if self.records is not None:
            text = orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode()
            self.records.text(f"state-{round(self.clock.wall_s())}.json", text)


def rules_of(profiles: Mapping[str, SchedulerProfile]) -> Callable[[str], tuple[Check, ...]]:
    """The rules of each scheduler's profile, made once."""

    @cache
    def rules(name: str) -> tuple[Check, ...]:
        return constraints_of(profiles[name].rules())

    return rules


@contextmanager
def _signals(process: Process) -> Iterator[None]:
    """Have signals tell the process; as before in the end."""
    stop, tell = process.stop, process.tell_state
    told_by = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGUSR1: tell}
    before = {
        number: signal.signal(number, lambda *_, do=do: do()) for number, do in told_by.items()
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
