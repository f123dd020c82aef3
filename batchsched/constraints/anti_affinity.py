"""Anti-affinity: pods that refuse each other's company are not in one domain.

Source: FORMULATION §C5; kube-scheduler's InterPodAffinity. The rule is symmetric: the term of
either pod keeps both apart, also the term of a pod that runs already. A node without the term's
topology key is in no domain, and a pod never refuses itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from batchsched.feasibility.problem import Problem
from batchsched.feasibility.selection import PodSelector, of_term
from batchsched.feasibility.topology import Domains
from batchsched.plan.reading import Company, company, seat
from batchsched.plan.state import FinalState, Violation
from batchsched.snapshot.pod import Pod
from batchsched.solver.model import IntArray, Model
from batchsched.solver.sums import BoolArray, Entries, numbered, sums


@dataclass(frozen=True, slots=True)
class AntiAffinity:
    """Required anti-affinity, of placed pods and of those that stay."""

    name: str = "anti_affinity"

    def post(self, model: Model) -> None:
        """For each term and domain: owners or matched pods, not both.

        Terms of fixed pods, and fixed pods that a term matches, are in the candidates.
        """
        problem = model.problem
        for (key, selector), owners in _terms(problem):
            matched, _ = problem.selected(selector)
            self._post_term(model, problem.domains(key), owners, matched)

    def _post_term(
        self, model: Model, domains: Domains, owners: BoolArray, matched: BoolArray
    ) -> None:
        """In a domain there is one pod that is both, or owners alone, or matched pods alone.

        With U the most matched pods and p "an owner is here": ``U both + U p + matched <= U``.
        Where one side can be one pod at most, its sum is p, and no column is needed.
        """
        both, owner, match = (
            sums(model, mask, domains.of_node, len(domains))
            for mask in (owners & matched, owners & ~matched, matched & ~owners)
        )
        sides = np.minimum(both.most, 2) + (owner.most > 0) + (match.most > 0)
        count, row = numbered(sides > 1)
        if not count:
            return
        undecided = (row >= 0) & (owner.most > 1) & (match.most > 1)
        added, indicator_row = numbered(undecided)
        # The side whose sum has coefficient 1: matched pods, or owners where those are the many.
        most = np.maximum(np.where(match.most > 1, match.most, owner.most), 1)
        entries: list[Entries] = [
            both.entries(row, most),
            match.entries(row, np.where(match.most > 1, 1, most)),
            owner.entries(np.where(undecided, -1, row), np.where(match.most > 1, most, 1)),
        ]
        if added:
            columns = model.add_columns(self.name, 1, added)
            entries.append((row[undecided], columns, most[undecided]))
            room = owner.most[undecided]
            model.add_rows(
                self.name,
                added,
                [owner.entries(indicator_row), (np.arange(added), columns, -room)],
                upper=0,
            )
        model.add_rows(self.name, count, entries, upper=most[row >= 0])

    def reads(self, problem: Problem) -> Iterable[IntArray]:
        """The domain of each key; fixed pods keep classes off for good."""
        keys = {term.topology_key for c in problem.classes for term in c.spec.anti_affinity}
        return [problem.domains(key).shared for key in sorted(keys)]

    def check(self, state: FinalState) -> Iterator[Violation]:
        """No placed pod is in a domain with a pod that it, or that pod, refuses."""
        yield from self._refused_by_placed(state)
        yield from self._refused_by_kept(state)

    def _refused_by_placed(self, state: FinalState) -> Iterator[Violation]:
        """Terms of placed pods, against everyone else in their domain."""
        counts: dict[Company, dict[str, int]] = {}
        for placed in state.placed:
            for term in placed.pod.spec.anti_affinity:
                who = company(term, placed.pod.namespace)
                domain = state.census.values(who.key).get(placed.node.name)
                if domain is None:
                    continue
                kinds = state.census.selected(who)
                if who not in counts:
                    counts[who] = state.census.per_domain(kinds, who.key)
                itself = state.census.kind(placed) in kinds
                if counts[who].get(domain, 0) > itself:
                    message = f"refuses company in {who.key}={domain}, where there is some"
                    yield Violation(self.name, placed.pod.full_name, placed.node.name, message)

    def _refused_by_kept(self, state: FinalState) -> Iterator[Violation]:
        """Terms of pods that stay, against placed pods in their domain."""
        for who, owners in _kept_owners(state).items():
            refused = [p for kind in state.census.selected(who) for p in kind.placed]
            domain_of = state.census.values(who.key) if refused else {}
            held: dict[str, Pod] = {}
            for owner in owners if refused else ():
                if seat(owner) in domain_of:
                    held.setdefault(domain_of[seat(owner)], owner)
            for placed in refused:
                domain = domain_of.get(placed.node.name)
                if domain is not None and domain in held:
                    message = f"{held[domain].full_name} refuses it in its {who.key}"
                    yield Violation(self.name, placed.pod.full_name, placed.node.name, message)


def _kept_owners(state: FinalState) -> dict[Company, list[Pod]]:
    """The pods that stay, by what they refuse; what replicas share is read once."""
    alike: dict[tuple[int, str], list[Pod]] = {}
    for pod in [pod for pod in state.kept if pod.spec.anti_affinity]:
        alike.setdefault((id(pod.spec), pod.namespace), []).append(pod)
    owners: dict[Company, list[Pod]] = {}
    for pods in alike.values():
        for term in pods[0].spec.anti_affinity:
            owners.setdefault(company(term, pods[0].namespace), []).extend(pods)
    return owners


def _terms(problem: Problem) -> Iterator[tuple[tuple[str, PodSelector], BoolArray]]:
    """Each distinct term of the window, by its first class, with the classes [C] that own it."""
    owners: dict[tuple[str, PodSelector], list[int]] = {}
    for index, pods in enumerate(problem.classes):
        for term in pods.spec.anti_affinity:
            key = (term.topology_key, of_term(term, pods.namespace))
            owners.setdefault(key, []).append(index)
    for key, indices in owners.items():
        mask = np.zeros(len(problem.classes), dtype=np.bool_)
        mask[indices] = True
        yield key, mask
