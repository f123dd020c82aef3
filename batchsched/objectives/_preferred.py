"""Rows for preferences that depend on where other pods go (FORMULATION.md §O3, 3, 4 and 6).

Shared by nobody but ``preferences``; split from it so that each file holds one idea.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchsched.feasibility.problem import Gang, PodClass, Problem
from batchsched.feasibility.selection import PodSelector, of_term
from batchsched.feasibility.spreading import eligible_nodes, lifted
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
    for key, selector, weight, owners in _wishes(model.problem):
        _company(model, charges, (key, selector), owners, POINTS_PER_WEIGHT * weight)


def most_of_company(problem: Problem) -> int:
    """What the tier gets at most for company: everyone's is met."""
    return sum(
        POINTS_PER_WEIGHT * max(weight, 0) * int(problem.class_size[owners].sum())
        for _, _, weight, owners in _wishes(problem)
    )


def read_of_company(problem: Problem) -> Iterator[IntArray]:
    """What company reads of nodes: their domains, and who is in those of one node."""
    for key, selector, _, _ in _wishes(problem):
        domains = problem.domains(key)
        yield domains.shared
        yield np.minimum(domains.own(_held_nodes(problem, selector)), 1)


def _wishes(problem: Problem) -> Iterator[tuple[str, PodSelector, int, BoolArray]]:
    """Each distinct preference (key, selector, weight), with the classes [C] that have it."""
    owners: dict[tuple[str, PodSelector, int], list[int]] = {}
    for c, pods in enumerate(problem.classes):
        weights: dict[tuple[str, PodSelector], list[int]] = {}
        for weight, term in pods.spec.preferred_affinity:
            weights.setdefault((term.topology_key, of_term(term, pods.namespace)), []).append(
                weight
            )
        for (key, selector), each in weights.items():
            owners.setdefault((key, selector, sum(each)), []).append(c)
    for (key, selector, weight), classes in owners.items():
        if weight:
            mask = np.zeros(len(problem.classes), dtype=np.bool_)
            mask[classes] = True
            yield key, selector, weight, mask


def _held_nodes(problem: Problem, selector: PodSelector) -> IntArray:
    """The nodes of the fixed pods that a selector selects."""
    fixed = problem.selections.fixed(selector)
    return problem.fixed_node[fixed & (problem.fixed_node >= 0)]


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
    selected = problem.selections.classes(term[1])
    at = domains.of_node[_held_nodes(problem, term[1])]
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
    for group in _spread_groups(model.problem):
        _spread(model, charges, group)


def read_of_spread(problem: Problem) -> Iterator[IntArray | BoolArray]:
    """What soft spread reads of nodes: eligibility, domains, and who is in those of one node."""
    for group in _spread_groups(problem):
        domains = problem.domains(group.spread.topology_key)
        yield group.eligible
        yield domains.shared
        yield domains.own(_counted(problem, group)[1])


@dataclass(frozen=True, slots=True, eq=False)
class _SpreadGroup:
    """Owners [C] of one soft constraint in one namespace, with the same eligible nodes [N]."""

    spread: TopologySpread
    namespace: str
    eligible: BoolArray
    owners: BoolArray


def _spread_groups(problem: Problem) -> Iterator[_SpreadGroup]:
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
        yield _SpreadGroup(spread, namespace, masks[mask], own)


def _without_policies(spread: TopologySpread) -> TopologySpread:
    """The constraint, without what has gone into the set of eligible nodes already."""
    return TopologySpread(
        spread.topology_key, spread.max_skew, hard=False, selector=spread.selector
    )


def _spread(model: Model, charges: Charges, group: _SpreadGroup) -> None:
    """``excess >= count - min - skew`` in each eligible domain, once an owner is placed."""
    problem, rule, spread, own = model.problem, charges.rule, group.spread, group.owners
    domains = problem.domains(spread.topology_key)
    of_node = np.where(group.eligible, domains.of_node, -1)
    of_node_used = of_node[of_node >= 0]
    there = add_up(of_node_used, 1, len(domains)) > 0
    classes, nodes = _counted(problem, group)
    at = of_node[nodes]
    held = add_up(at[at >= 0], 1, len(domains))
    counted = sums(model, classes, of_node, len(domains))
    most = held + counted.most
    owners = model.cells(own)
    if not there.any() or not len(owners):
        return
    lowest = int(held[there].min())
    coming = int(problem.class_size[np.unique(counted.cells.classes)].sum())
    highest = lifted(held[there], coming, int(most[there].min()))
    concerned = there & (most > lowest + spread.max_skew)
    count, row = numbered(concerned)
    if not count:
        return
    minimum = model.add_columns(rule, highest - lowest, int(highest > lowest))
    if len(minimum):
        floor, floor_row = numbered(there & (held < highest))
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
        (np.repeat(each, len(minimum)), np.tile(minimum, count), -1),
        (each, excess, -1),
        (each, np.repeat(active, count), beyond),
    ]
    upper = (lowest + spread.max_skew - held)[concerned] + beyond
    model.add_rows(rule, count, entries, upper=upper)
    charges.add(excess, POINTS_PER_SKEW)


def _counted(problem: Problem, group: _SpreadGroup) -> tuple[BoolArray, IntArray]:
    """The classes [C] that the constraint counts, and the nodes of the fixed pods that it does."""
    selector = group.spread.selector
    if selector is None or not selector.requirements:
        return np.zeros(len(problem.classes), dtype=np.bool_), np.zeros(0, dtype=np.int64)
    classes, fixed = problem.selected(PodSelector((group.namespace,), None, selector))
    return classes, problem.fixed_node[fixed & problem.fixed.staying & (problem.fixed_node >= 0)]


def read_of_domains(problem: Problem) -> Iterator[IntArray]:
    """What preferred topology reads of nodes: domains, and running members in those of one."""
    for gang in problem.gangs:
        if gang.group.preferred_topology is not None:
            domains = problem.domains(gang.group.preferred_topology)
            yield domains.shared
            yield np.minimum(domains.own(np.array(gang.running_nodes, dtype=np.int64)), 1)


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
        seated = np.array([_is_seated(problem, c, gang) for c in problem.classes], dtype=np.bool_)
        staying = sums(model, seated, of_node, len(domains) + 1)
        run = np.bincount(of_node[list(gang.running_nodes)], minlength=len(domains) + 1)
        entered = (inside.most > 0) & (run <= staying.most)
        count, row = numbered(entered)
        if count:
            present = model.add_columns(charges.rule, 1, count)
            entries = [inside.entries(row), (np.arange(count), present, -inside.most[entered])]
            entries.append(staying.entries(row, -inside.most))
            model.add_rows(charges.rule, count, entries, upper=0)
            charges.add(present, POINTS_PER_DOMAIN)


def _is_seated(problem: Problem, pods: PodClass, gang: Gang) -> bool:
    """Whether pods are running members of a gang that may go."""
    group = pods.seat.group if pods.seat is not None else None
    return group is not None and problem.snapshot.groups[group] is gang.group
