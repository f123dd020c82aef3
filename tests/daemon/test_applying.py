"""A plan is carried out as far as it holds: in order, gangs whole, nobody evicted for nothing."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from batchsched import cycle
from batchsched.daemon.applying import Applied, Applying
from batchsched.daemon.grouping import Grouping
from batchsched.daemon.ports import Answer, BindWrite, EvictWrite, Write
from batchsched.plan.plan import Binding, Eviction, Plan, PlanAllowance
from batchsched.profile import constraints_of, default_profile
from batchsched.sim.clock import VirtualClock
from batchsched.sim.cluster import SimCluster
from batchsched.snapshot.pod import Pod
from tests.builders import make_node, make_pod, make_snapshot

GANG = (("batchsched.io/gang", "g"), ("batchsched.io/min-available", "2"))


class Guarded(SimCluster):
    """A cluster in which some pods may not be evicted, and the bindings of some are refused."""

    guarded: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    written: Sequence[Write] = ()

    def begin(self, write: Write) -> None:
        """Note a write, and refuse it or pass it on."""
        self.written = [*self.written, write]
        name = (write.binding.pod if isinstance(write, BindWrite) else write.pod)[1]
        tried = isinstance(write, BindWrite) and not write.dry_run
        if isinstance(write, EvictWrite) and name in self.guarded:
            self._answers.append(Answer(write, "budget: no"))
        elif tried and name in self.refused:
            self._answers.append(Answer(write, "gated: no"))
        else:
            super().begin(write)


class Bench:
    """Two nodes of two cores."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.announced: list[cycle.Announce] = []
        base = make_snapshot([make_node("n1", cpu=2000), make_node("n2", cpu=2000)])
        self.cluster = Guarded(base, Grouping(), self.clock)
        self.applying = Applying(
            self.cluster,
            self.clock,
            lambda s: self.clock.advance(self.clock.now_s() + s),
            constraints_of(default_profile()),
            announce=self.announced.append,
        )

    def pod(self, name: str, cpu: int = 2000, *, gang: bool = False, priority: int = 0) -> Pod:
        made = make_pod(name, cpu=cpu, priority=priority, pod={"annotations": GANG * gang})
        return self.cluster.create(replace(made, uid=""))

    def running(self, name: str, node: str, cpu: int = 2000) -> Pod:
        made = self.pod(name, cpu)
        assert self.cluster.bind(cycle.Binding(made.key, made.uid, node)) is None
        self.clock.advance(self.clock.now_s() + 5.0)
        return made

    def places(self) -> dict[str, str | None]:
        return {pod.name: pod.node for pod in self.cluster.pods.values()}


def plan(
    bindings: Sequence[tuple[Pod, str]], evictions: Sequence[tuple[Pod, str, Pod]] = ()
) -> Plan:
    return Plan(
        status="Optimal",
        allowance=PlanAllowance(preemption="lower-priority"),
        bindings=tuple(
            Binding(namespace=p.namespace, name=p.name, uid=p.uid, node=node)
            for p, node in bindings
        ),
        evictions=tuple(
            Eviction.model_validate(
                {
                    "namespace": victim.namespace,
                    "name": victim.name,
                    "uid": victim.uid,
                    "from": node,
                    "reason": "Preempted",
                    "for": cause.full_name,
                }
            )
            for victim, node, cause in evictions
        ),
    )


def told(found: Sequence[Applied]) -> list[tuple[str, str, str]]:
    return [(each.pod[1], each.what, each.why) for each in found]


def test_bindings_are_written_in_the_order_of_the_plan() -> None:
    bench = Bench()
    pods = [bench.pod(name, 1000) for name in ("b", "a", "c")]
    found = bench.applying.run(plan([(pod, "n1") for pod in pods[:2]] + [(pods[2], "n2")]), 10.0)
    assert told(found) == [("b", "Bound", ""), ("a", "Bound", ""), ("c", "Bound", "")]
    names = [w.binding.pod[1] for w in bench.cluster.written if isinstance(w, BindWrite)]
    assert names == ["b", "a", "c"]


def test_what_was_done_before_is_done() -> None:
    bench = Bench()
    pods = [bench.running("a", "n1"), bench.pod("b")]
    given = plan([(pods[0], "n1"), (pods[1], "n2")])
    found = bench.applying.run(given, 10.0)
    assert [each.what for each in found] == ["Bound already", "Bound"]


def test_a_pod_that_was_made_anew_or_is_elsewhere_is_refused() -> None:
    bench = Bench()
    elsewhere, anew = bench.running("elsewhere", "n1"), bench.pod("anew")
    given = plan([(elsewhere, "n2"), (replace(anew, uid="old"), "n2")])
    found = bench.applying.run(given, 10.0)
    assert [each.what for each in found] == ["Refused", "Refused"]
    assert bench.places() == {"elsewhere": "n1", "anew": None}


@pytest.mark.parametrize("refused_late", [False, True])
def test_a_gang_that_does_not_fit_any_more_is_refused_whole(*, refused_late: bool) -> None:
    bench = Bench()
    gang = [bench.pod(name, gang=True) for name in ("g1", "g2")]
    if refused_late:
        bench.cluster.refused = frozenset({"g1"})
    else:
        bench.running("theirs", "n2", 1000)
    found = bench.applying.run(plan([(gang[0], "n1"), (gang[1], "n2")]), 10.0)
    assert {each.what for each in found} >= {"Refused"}
    if refused_late:
        assert bench.places()["g1"] is None
    else:
        assert {each.what for each in found} == {"Refused"}
        assert bench.places() == {"g1": None, "g2": None, "theirs": "n2"}


def test_victims_leave_before_those_they_leave_for_come() -> None:
    bench = Bench()
    victim, high = bench.running("victim", "n1"), bench.pod("high", priority=10)
    found = bench.applying.run(plan([(high, "n1")], [(victim, "n1", high)]), 30.0)
    assert told(found) == [("victim", "Evicted", ""), ("high", "Bound", "")]
    assert bench.places() == {"high": "n1"}
    message = f"Preempted by pod {high.uid} (default/high) on node n1"
    assert bench.announced == [cycle.Announce(victim.key, victim.uid, "Preempted", message)]
    causes = {w.message for w in bench.cluster.written if isinstance(w, EvictWrite)}
    assert causes == {message}


def test_nobody_is_evicted_for_who_cannot_come() -> None:
    bench = Bench()
    victim, high = bench.running("victim", "n1"), bench.pod("high", priority=10)
    given = plan([(replace(high, uid="old"), "n1")], [(victim, "n1", high)])
    found = bench.applying.run(given, 9.0)
    assert [each.what for each in found] == ["Refused"]
    assert bench.places()["victim"] == "n1"
    assert not bench.cluster.written


def test_who_waits_for_one_that_may_not_go_is_refused() -> None:
    bench = Bench()
    victim, high = bench.running("victim", "n1"), bench.pod("high", priority=10)
    other = bench.pod("other")
    bench.cluster.guarded = frozenset({"victim"})
    given = plan([(high, "n1"), (other, "n2")], [(victim, "n1", high)])
    found = bench.applying.run(given, 10.0)
    why = "default/victim may not be evicted: budget: no"
    assert told(found) == [("high", "Refused", why), ("other", "Bound", "")]
    assert [w.dry_run for w in bench.cluster.written if isinstance(w, EvictWrite)] == [True]


def test_who_does_not_leave_in_time_keeps_its_room() -> None:
    bench = Bench()
    victim, high = bench.running("victim", "n1"), bench.pod("high", priority=10)
    found = bench.applying.run(plan([(high, "n1")], [(victim, "n1", high)]), 0.0)
    assert [each.what for each in found] == ["Evicted", "Refused"]
    assert bench.places()["high"] is None


def test_a_try_changes_nothing() -> None:
    bench = Bench()
    victim, high = bench.running("victim", "n1"), bench.pod("high", priority=10)
    found = bench.applying.tried(plan([(high, "n1")], [(victim, "n1", high)]))
    assert [each.what for each in found] == ["Would be evicted", "Would be bound"]
    assert bench.places() == {"victim": "n1", "high": None}
    assert all(w.dry_run for w in bench.cluster.written if isinstance(w, BindWrite | EvictWrite))
    assert not bench.announced


def test_a_victim_is_told_of_somebody_who_still_waits_for_it() -> None:
    bench = Bench()
    victim, guarded = bench.running("victim", "n1"), bench.running("guarded", "n2")
    first, second = bench.pod("first", 1000, priority=10), bench.pod("second", 1000, priority=10)
    bench.cluster.guarded = frozenset({"guarded"})
    given = plan([(first, "n1"), (second, "n1")], [(victim, "n1", second), (guarded, "n2", first)])
    found = bench.applying.run(given, 30.0)
    assert [each.what for each in found] == ["Evicted", "Refused", "Bound"]
    assert [each.message for each in bench.announced] == [
        f"Preempted by pod {second.uid} (default/second) on node n1"
    ]
