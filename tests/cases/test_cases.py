"""Every named case of models/cases, asked of everyone who can answer it.

The scheduler, brute force and MiniZinc must find the tiers that ``expect.toml`` names, and the
scheduler must prove them; its plan must be valid by a reading of the rules that is not its own.
"""

import os
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from batchsched.plan.plan import Plan
from batchsched.profile import named_profiles
from batchsched.scheduler import schedule
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.solve import Limits
from tests.oracles import minizinc
from tests.oracles.brute_force import full_optimum
from tests.oracles.cluster import Cluster
from tests.oracles.evicting import Outcome, Scene, optimum
from tests.oracles.greedy import greedy_placed

CASES = Path(__file__).resolve().parents[2] / "models" / "cases"
NAMES = sorted(path.name for path in CASES.iterdir() if path.is_dir())
PODS_MAX, NODES_MAX = 12, 6


@dataclass(frozen=True)
class Case:
    """One case: what is, and what should come of it."""

    snapshot: Snapshot
    expect: dict[str, Any]

    @property
    def packing(self) -> str:
        packing: str = self.expect.get("packing", "fewest-nodes")
        return packing

    @property
    def allowance(self) -> Allowance:
        """What may be done to running pods: nothing, unless the case says so."""
        moves = self.expect.get("moves", 0)
        preemption = self.expect.get("preemption") == "lower-priority"
        return Allowance(preemption, None if moves == "unlimited" else moves)

    @property
    def values(self) -> dict[str, int]:
        """The expected tiers, in their order."""
        return {name: tier["value"] for name, tier in self.expect["tiers"].items()}


@cache
def case_of(name: str) -> Case:
    snapshot = read([("snapshot.yaml", (CASES / name / "snapshot.yaml").read_bytes())])
    expect = tomllib.loads((CASES / name / "expect.toml").read_text(encoding="utf-8"))
    return Case(snapshot, expect)


EVICTING = [name for name in NAMES if case_of(name).allowance]
PLACING = [name for name in NAMES if name not in EVICTING]


@cache
def plan_of(name: str) -> Plan:
    case = case_of(name)
    packing = "default" if case.packing == "fewest-nodes" else case.packing
    limits = Limits(time_limit_s=10, workers=1, seed=0, deterministic=True)
    snapshot, profile = case.snapshot, named_profiles()[packing]
    window, allowance = pending(snapshot), case.allowance
    return schedule(snapshot, window, profile, limits, lambda: 0.0, allowance=allowance)


def test_there_are_many_cases_and_their_numbers_are_their_own() -> None:
    assert len(NAMES) >= 40
    assert [int(name[:4]) for name in NAMES] == list(range(1, len(NAMES) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_case_says_why_in_three_lines_and_is_small(name: str) -> None:
    why = (CASES / name / "WHY.md").read_text(encoding="utf-8").splitlines()
    assert len(why) == 3
    assert all(why)
    case = case_of(name)
    assert len(case.snapshot.nodes) <= NODES_MAX
    assert len(pending(case.snapshot).pods) <= PODS_MAX


@pytest.mark.parametrize("name", NAMES)
def test_the_scheduler_finds_and_proves_what_is_expected(name: str) -> None:
    expect, plan = case_of(name).expect, plan_of(name)
    found = {tier.name: {"value": tier.value, "bound": tier.bound} for tier in plan.tiers}
    assert found == expect["tiers"]
    assert plan.status == expect["status"]


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_of_a_case_is_valid_by_the_oracles_reading_of_the_rules(name: str) -> None:
    case, plan = case_of(name), plan_of(name)
    places = {(b.namespace, b.name): b.node for b in plan.bindings}
    leaving = {(e.namespace, e.name): e.to for e in plan.evictions}
    assert Outcome(leaving, places, Scene(case.snapshot, case.allowance)).valid


@pytest.mark.parametrize("name", EVICTING)
def test_who_leaves_in_a_case_is_expected_to(name: str) -> None:
    found = {}
    for each in plan_of(name).evictions:
        to = f" to {each.to}" if each.to is not None else ""
        found[f"{each.namespace}/{each.name}"] = f"{each.from_}{to} for {each.for_}"
    assert found == case_of(name).expect.get("evictions", {})


@pytest.mark.parametrize("name", EVICTING)
def test_no_way_to_keep_evict_and_move_does_better(name: str) -> None:
    case = case_of(name)
    best = optimum(Scene(case.snapshot, case.allowance))
    assert list(best) == list(case.values)[: len(best)]
    assert not [name for name, values in best.items() if case.values[name] not in values]


@pytest.mark.parametrize("name", NAMES)
def test_what_stays_unplaced_in_a_case_says_the_expected_reason(name: str) -> None:
    expect, plan = case_of(name).expect, plan_of(name)
    if "unplaced" in expect:
        reasons = {f"{pod.namespace}/{pod.name}": pod.message for pod in plan.unplaced}
        assert reasons.keys() == expect["unplaced"].keys()
        wrong = {pod: why for pod, why in expect["unplaced"].items() if why not in reasons[pod]}
        assert not wrong, {pod: reasons[pod] for pod in wrong}
    groups = {f"{group.namespace}/{group.name}": group.status for group in plan.pod_groups}
    assert groups.items() >= expect.get("podGroups", {}).items()


@pytest.mark.parametrize("name", PLACING)
def test_brute_force_finds_what_is_expected(name: str) -> None:
    case = case_of(name)
    optimum = full_optimum(Cluster.of(case.snapshot), case.packing)
    assert list(optimum.tiers.items()) == list(case.values.items())


@pytest.mark.minizinc
@pytest.mark.parametrize("name", NAMES)
def test_minizinc_finds_what_is_expected(name: str) -> None:
    if not minizinc.available():
        if os.environ.get("CI") == "true":
            pytest.fail("minizinc is not on PATH; .ci/run installs minizinc and flatzinc")
        pytest.skip("minizinc is not on PATH (Debian: apt-get install minizinc flatzinc)")
    case = case_of(name)
    answer = minizinc.solve(Cluster.of(case.snapshot), case.packing, case.allowance)
    assert list(answer.tiers.items()) == list(case.values.items())
    assert Outcome(answer.leaving, answer.places, Scene(case.snapshot, case.allowance)).valid


@pytest.mark.parametrize(
    "name", [name for name in NAMES if "greedy_placed" in case_of(name).expect]
)
def test_deciding_pod_by_pod_places_less(name: str) -> None:
    case = case_of(name)
    found = greedy_placed(Cluster.of(case.snapshot))
    assert found == case.expect["greedy_placed"]
    assert found < sum(v for tier, v in case.values.items() if tier.startswith("placed/"))
