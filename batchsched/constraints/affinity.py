"""Affinity: a pod that asks for company gets it, in every domain that it asks for.

Source: FORMULATION §C6; kube-scheduler's InterPodAffinity. Company is another pod that matches all
terms of the pod at once; each term's domain must hold one. Where there is no such pod at all (on
nodes that carry one of the terms' keys), a pod that matches its own terms may be the first.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.feasibility.selection import PodSelector, of_term
from batchsched.plan.state import FinalState, Violation
from batchsched.plan.tallies import CompanyTally, whom
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import BoolArray, Entries, Sums, add_up, numbered, sums

if TYPE_CHECKING:
    from batchsched.plan.reading import Company

Terms: TypeAlias = tuple[tuple[str, PodSelector], ...]
"""(topology key, selector) of each required term of a pod, without repeats."""


@dataclass(frozen=True, slots=True)
class Affinity:
    """Required affinity of placed pods."""

    name: str = "affinity"

    def post(self, model: Model) -> None:
        """Owners of the same terms share rows; that nodes carry the keys is in the candidates."""
        for terms, owners in _owners(model.problem):
            self._post_terms(model, terms, owners)

    def _post_terms(self, model: Model, terms: Terms, owners: BoolArray) -> None:
        """Per key and domain: followers need one matching pod, leaders (who match too) two."""
        problem = model.problem
        matched, held_nodes = _matched(problem, terms)
        keys = sorted({key for key, _ in terms})
        keyed = np.any([problem.domains(key).has_key for key in keys], axis=0)
        held_nodes = held_nodes[keyed[held_nodes]]
        first = None
        if not len(held_nodes) and (owners & matched).any():
            everywhere = sums(model, matched, np.where(keyed, 0, -1), 1)
            if everywhere.most[0] <= 1:
                owners = owners & ~matched  # a leader is the first, as there can be no other
            else:
                first = self._post_first(model, everywhere)
        for key in keys:
            domains = problem.domains(key)
            at = domains.of_node[held_nodes]
            missing = add_up(at[at >= 0], 1, len(domains)) == 0
            company, followers, leaders = (
                sums(model, mask, domains.of_node, len(domains))
                for mask in (matched, owners & ~matched, owners & matched)
            )
            self._post_followers(model, followers, company, missing)
            self._post_leaders(model, leaders, company, missing, first)

    def _post_first(self, model: Model, everywhere: Sums) -> IntArray:
        """A column that may be 1 only where one matching pod is placed at most: the first."""
        first = model.add_columns(self.name, 1, 1)
        room = everywhere.most[0]
        entries: list[Entries] = [
            everywhere.entries(np.zeros(1, dtype=np.int64)),
            (0, first, room - 1),
        ]
        model.add_rows(self.name, 1, entries, upper=room)
        return first

    def _post_followers(
        self, model: Model, followers: Sums, company: Sums, missing: BoolArray
    ) -> None:
        """``followers <= U company`` in each domain that holds no company yet."""
        count, row = numbered((followers.most > 0) & missing)
        if count:
            entries: list[Entries] = [followers.entries(row), company.entries(row, -followers.most)]
            model.add_rows(self.name, count, entries, upper=0)

    def _post_leaders(
        self,
        model: Model,
        leaders: Sums,
        company: Sums,
        missing: BoolArray,
        first: IntArray | None,
    ) -> None:
        """``leaders <= U z``, ``2 z <= company + first`` in each domain that holds no company yet.

        Where there cannot be two, z is ``first``, or 0 where nobody may be first.
        """
        entries: list[Entries]
        concerned = (leaders.most > 0) & missing
        alone, row = numbered(concerned & (company.most <= 1))
        if alone:
            entries = [leaders.entries(row)]
            if first is not None:
                entries.append((np.arange(alone), np.repeat(first, alone), -leaders.most[row >= 0]))
            model.add_rows(self.name, alone, entries, upper=0)
        count, row = numbered(concerned & (company.most > 1))
        if not count:
            return
        columns, each = model.add_columns(self.name, 1, count), np.arange(count)
        entries = [leaders.entries(row), (each, columns, -leaders.most[row >= 0])]
        model.add_rows(self.name, count, entries, upper=0)
        entries = [company.entries(row, -1), (each, columns, np.full(count, 2))]
        if first is not None:
            entries.append((each, np.repeat(first, count), np.full(count, -1)))
        model.add_rows(self.name, count, entries, upper=0)

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """The domain of each key, and company in those that are a node of their own."""
        for terms, _ in _owners(problem):
            held = _matched(problem, terms)[1]
            for key in sorted({key for key, _ in terms}):
                yield problem.domains(key).shared
                yield np.minimum(problem.domains(key).own(held), 1)

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Every placed pod has its company in each domain, or is the first of its kind."""
        tallies: dict[tuple[Company, ...], CompanyTally] = {}
        for placed in state.placed:
            if not placed.pod.spec.affinity:
                continue
            terms = whom(placed.pod)
            if terms not in tallies:
                tallies[terms] = CompanyTally(state, terms, kept=False)
            tally = tallies[terms]
            itself = state.census.kind(placed) in tally.kinds
            lacking = tally.lacking(placed.node.name, itself)
            if lacking is None:
                continue
            key, domain = lacking
            if domain is None:
                problem = f"the node has no label {key}"
            elif itself and tally.anywhere == 1:
                continue  # the first of its kind
            else:
                problem = f"nobody that it wants to be with is in {key}={domain}"
            yield Violation(self.name, placed.pod.full_name, placed.node.name, problem)


def _owners(problem: Problem) -> Iterator[tuple[Terms, BoolArray]]:
    """Each distinct set of terms, by its first class, with the classes [C] that own it."""
    owners: dict[Terms, list[int]] = {}
    for index, pods in enumerate(problem.classes):
        terms = tuple(
            dict.fromkeys(
                (term.topology_key, of_term(term, pods.namespace)) for term in pods.spec.affinity
            )
        )
        if terms:
            owners.setdefault(terms, []).append(index)
    for terms, indices in owners.items():
        mask = np.zeros(len(problem.classes), dtype=np.bool_)
        mask[indices] = True
        yield terms, mask


def _matched(problem: Problem, terms: Terms) -> tuple[BoolArray, IntArray]:
    """The classes [C] that match all terms, and the nodes of the fixed pods that do."""
    classes = np.ones(len(problem.classes), dtype=np.bool_)
    fixed = problem.fixed_node >= 0
    for _, selector in terms:
        of_classes, of_fixed = problem.selected(selector)
        classes, fixed = classes & of_classes, fixed & of_fixed
    return classes, problem.fixed_node[fixed]
