"""Rows for preferences that depend on where other pods go (FORMULATION.md §O3, 3, 4 and 6).

Shared by nobody but ``preferences``; split from it so that each file holds one idea.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Problem
from batchsched.feasibility.selection import PodSelector, of_term
from batchsched.feasibility.spreading import eligible_nodes
from batchsched.snapshot.pod import TopologySpread
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import BoolArray, Sums, add_up, numbered, sums

POINTS_PER_WEIGHT = 2
POINTS_PER_SKEW = -2
POINTS_PER_DOMAIN = -20


class Charges:
    """Columns and what the tier pays for each unit of them."""

    def __init__(self, rule: str) -> None:
        """Start with nothing; ``rule`` names the rows."""
        self.rule = rule
        self._columns: list[IntArray] = [np.zeros(0, dtype=np.int64)]
        self._points: list[IntArray] = [np.zeros(0, dtype=np.int64)]

    def add(self, columns: IntArray, points: npt.ArrayLike) -> None:
        """Pay ``points`` (one for all, or one each) for the columns."""
        self._columns.append(columns)
        self._points.append(np.broadcast_to(np.asarray(points, dtype=np.int64), columns.shape))

    def collected(self) -> tuple[IntArray, IntArray]:
        """All columns with their points; a column may occur more than once."""
        return np.concatenate(self._columns), np.concatenate(self._points)


def prefer_company(model: Model, charges: Charges) -> None:
    """Preferred pod affinity and anti-affinity: met where another selected pod is in the domain."""
    owners: dict[tuple[str, PodSelector, int], list[int]] = {}
    for c, pods in enumerate(model.problem.classes):
        weights: dict[tuple[str, PodSelector], list[int]] = {}
        for weight, term in pods.spec.preferred_affinity:
            weights.setdefault((term.topology_key, of_term(term, pods.namespace)), []).append(
                weight
            )
        for (key, selector), each in weights.items():
            owners.setdefault((key, selector, sum(each)), []).append(c)
    for (key, selector, weight), classes in owners.items():
        if weight:
            mask = np.zeros(len(model.problem.classes), dtype=np.bool_)
            mask[classes] = True
            _company(model, charges, (key, selector), mask, POINTS_PER_WEIGHT * weight)


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """Owners that ask, company that answers, and how many must be there: in the open domains."""

    asking: Sums
    company: Sums
    open_: BoolArray
    needed: int
    points: int


def _company(
    model: Model, charges: Charges, term: tuple[str, PodSelector], owners: BoolArray, points: int
) -> None:
    """One term with one weight; owners that select themselves need a second pod."""
    problem = model.problem
    domains = problem.domains(term[0])
    selected, fixed = problem.selected(term[1])
    at = domains.of_node[problem.fixed_node[fixed & (problem.fixed_node >= 0)]]
    held = add_up(at[at >= 0], 1, len(domains)) > 0
    company = sums(model, selected, domains.of_node, len(domains))
    for own, needed in ((owners & ~selected, 1), (owners & selected, 2)):
        asking = sums(model, own, domains.of_node, len(domains))
        charges.add(asking.cells.columns[held[asking.domain]], points)
        open_ = (asking.most > 0) & ~held & (company.most >= needed)
        if open_.any():
            wish = _Wish(asking, company, open_, needed, points)
            (_rewarded if points > 0 else _punished)(model, charges, wish)


def _rewarded(model: Model, charges: Charges, wish: _Wish) -> None:
    """``met <= asking``, ``met <= U there``, ``needed * there <= company``."""
    count, row = numbered(wish.open_)
    each, rule, most = np.arange(count), charges.rule, wish.asking.most[wish.open_]
    there = model.add_columns(rule, 1, count)
    met = model.add_columns(rule, most)
    entries = [wish.company.entries(row, -1), (each, there, np.full(count, wish.needed))]
    model.add_rows(rule, count, entries, upper=0)
    entries = [wish.asking.entries(row, -1), (each, met, np.ones(count, dtype=np.int64))]
    model.add_rows(rule, count, entries, upper=0)
    entries = [(each, met, np.ones(count, dtype=np.int64)), (each, there, -most)]
    model.add_rows(rule, count, entries, upper=0)
    charges.add(met, wish.points)


def _punished(model: Model, charges: Charges, wish: _Wish) -> None:
    """``company <= needed - 1 + U there``, ``met >= asking - U (1 - there)``."""
    count, row = numbered(wish.open_)
    each, rule, most = np.arange(count), charges.rule, wish.asking.most[wish.open_]
    there = model.add_columns(rule, 1, count, resting=True)
    met = model.add_columns(rule, most)
    excess = wish.company.most[wish.open_] - (wish.needed - 1)
    entries = [wish.company.entries(row), (each, there, -excess)]
    model.add_rows(rule, count, entries, upper=wish.needed - 1)
    entries = [wish.asking.entries(row), (each, met, np.full(count, -1)), (each, there, most)]
    model.add_rows(rule, count, entries, upper=most)
    charges.add(met, wish.points)


def prefer_spread(model: Model, charges: Charges) -> None:
    """Soft spread: pay for each pod above what the emptiest domain and the skew allow."""
    problem = model.problem
    groups: dict[tuple[TopologySpread, str, bytes], list[int]] = {}
    masks: dict[bytes, BoolArray] = {}
    for c, pods in enumerate(problem.classes):
        for spread in dict.fromkeys(s for s in pods.spec.spread if not s.hard):
            eligible = eligible_nodes(problem, c, spread)
            masks[eligible.tobytes()] = eligible
            plain = _without_policies(spread)
            owners = groups.setdefault((plain, pods.namespace, eligible.tobytes()), [])
            owners.append(c)
    for (spread, namespace, mask), classes in groups.items():
        own = np.zeros(len(problem.classes), dtype=np.bool_)
        own[classes] = True
        _spread(model, charges, spread, namespace, (own, masks[mask]))


def _without_policies(spread: TopologySpread) -> TopologySpread:
    """The constraint, without what has gone into the set of eligible nodes already."""
    return TopologySpread(
        spread.topology_key, spread.max_skew, hard=False, selector=spread.selector
    )


def _spread(
    model: Model,
    charges: Charges,
    spread: TopologySpread,
    namespace: str,
    masks: tuple[BoolArray, BoolArray],
) -> None:
    """``excess >= count - min - skew`` in each eligible domain, once an owner is placed."""
    problem, rule, (own, eligible) = model.problem, charges.rule, masks
    domains = problem.domains(spread.topology_key)
    of_node = np.where(eligible, domains.of_node, -1)
    of_node_used = of_node[of_node >= 0]
    there = add_up(of_node_used, 1, len(domains)) > 0
    classes, held = _counted(problem, spread, namespace, of_node, len(domains))
    counted = sums(model, classes, of_node, len(domains))
    most = held + counted.most
    owners = model.cells(own)
    if not there.any() or not len(owners):
        return
    lowest, highest = int(held[there].min()), int(most[there].min())
    concerned = there & (most > lowest + spread.max_skew)
    count, row = numbered(concerned)
    if not count:
        return
    minimum = model.add_columns(rule, highest - lowest, 1)
    floor, floor_row = numbered(there & (held - lowest < highest - lowest))
    entries = [counted.entries(floor_row, -1), (np.arange(floor), np.repeat(minimum, floor), 1)]
    model.add_rows(rule, floor, entries, upper=(held - lowest)[floor_row >= 0])
    active = model.add_columns(rule, 1, 1, resting=True)
    placed = int(np.minimum(problem.class_size[own], problem.upper[own].sum(axis=1)).sum())
    entries = [(np.zeros(len(owners)), owners.columns, 1), (0, active, -placed)]
    model.add_rows(rule, 1, entries, upper=0)
    beyond = (most - lowest - spread.max_skew)[concerned]
    excess, each = model.add_columns(rule, beyond), np.arange(count)
    entries = [
        counted.entries(row),
        (each, np.repeat(minimum, count), -1),
        (each, excess, -1),
        (each, np.repeat(active, count), beyond),
    ]
    upper = (lowest + spread.max_skew - held)[concerned] + beyond
    model.add_rows(rule, count, entries, upper=upper)
    charges.add(excess, POINTS_PER_SKEW)


def _counted(
    problem: Problem, spread: TopologySpread, namespace: str, of_node: IntArray, count: int
) -> tuple[BoolArray, IntArray]:
    """The classes [C] that the constraint counts, and how many fixed pods [D] it counts."""
    if spread.selector is None or not spread.selector.requirements:
        return np.zeros(len(problem.classes), dtype=np.bool_), np.zeros(count, dtype=np.int64)
    classes, fixed = problem.selected(PodSelector((namespace,), None, spread.selector))
    at = problem.fixed_node[fixed & problem.fixed.staying & (problem.fixed_node >= 0)]
    at = of_node[at]
    return classes, add_up(at[at >= 0], 1, count)


def prefer_domains(model: Model, charges: Charges) -> None:
    """Groups that prefer to be in few domains of a key: pay for each domain entered anew."""
    problem = model.problem
    for g, gang in enumerate(problem.gangs):
        key = gang.group.preferred_topology
        members = np.array([c.group == g for c in problem.classes], dtype=np.bool_)
        if key is None or not members.any():
            continue
        domains = problem.domains(key)
        of_node = np.where(domains.has_key, domains.of_node, len(domains))
        inside = sums(model, members, of_node, len(domains) + 1)
        entered = inside.most > 0
        entered[of_node[list(gang.running_nodes)]] = False
        count, row = numbered(entered)
        if count:
            present = model.add_columns(charges.rule, 1, count)
            entries = [inside.entries(row), (np.arange(count), present, -inside.most[entered])]
            model.add_rows(charges.rule, count, entries, upper=0)
            charges.add(present, POINTS_PER_DOMAIN)
