"""Order: how placed pods are bound, so that each passes kube-scheduler's filters at its turn.

In a valid final state only two rules depend on the order: required affinity (somebody has to be
there first) and hard spread (the emptiest domain has to be filled first). Pods that no such rule
concerns come in any order; the others are replayed. Groups stay together, hardest pod first, as far
as the rules let them.
"""

import heapq
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from batchsched.plan.state import FinalState, Placed
from batchsched.plan.tallies import CompanyTally, Spreads, SpreadTally, whom

if TYPE_CHECKING:
    from batchsched.plan.census import Kind
    from batchsched.plan.reading import Company

Key: TypeAlias = tuple[object, ...]
FEW_PODS_MAX = 100
"""Of which each is tried as the first: 100 replays of 100 pods take 0.1 s."""
_PLAIN = ("cpu", "memory", "ephemeral-storage")


def binding_order(state: FinalState) -> tuple[Placed, ...]:
    """The placed pods in binding order.

    Several ways of arranging them are tried; the first in which nobody is bound against a filter
    wins, else the one in which fewest are. Some states have no such order: only a joint decision
    gets there.
    """
    usual = _usual_order(state)
    if not any(_minds_the_order(placed) for placed in usual):
        return tuple(usual)
    best: list[int] = []
    fewest = len(usual) + 1
    for arrange in _arrangements(len(usual)):
        replay = _Replay(state, usual)
        order, forced = replay.run(arrange(replay))
        if forced < fewest:
            best, fewest = order, forced
        if not forced:
            break
    return tuple(usual[at] for at in best)


def _minds_the_order(placed: Placed) -> bool:
    """Whether one of the two rules concerns the pod."""
    spec = placed.pod.spec
    return bool(spec.affinity) or any(spread.hard for spread in spec.spread)


def _usual_order(state: FinalState) -> list[Placed]:
    """By priority, then group by group, hardest pod first."""
    groups = dict(state.snapshot.group_of)
    hardness: dict[int, tuple[int, ...]] = {}
    first: dict[int, tuple[int, tuple[str, str]]] = {}
    for placed in state.placed:
        group = groups.get(placed.pod.key)
        if group is not None:
            key = (-placed.pod.spec.priority, placed.pod.key)
            first[group] = min(first.get(group, key), key)

    def rank(placed: Placed) -> Key:
        pod = placed.pod
        own = (-pod.spec.priority, pod.key)
        block = first.get(groups.get(pod.key, -1), own)
        if id(pod.spec) not in hardness:
            hardness[id(pod.spec)] = _hardness(placed)
        return (*block, hardness[id(pod.spec)], pod.key)

    return sorted(state.placed, key=rank)


def _hardness(placed: Placed) -> tuple[int, ...]:
    """Scarce resources first (devices), then cpu and memory; the hardest pod sorts first."""
    requests = dict(placed.pod.spec.requests)
    scarce = sum(amount for name, amount in requests.items() if name not in _PLAIN)
    return (-scarce, -requests.get("cpu", 0), -requests.get("memory", 0))


class _Replay:
    """Binding pods one by one onto the pods that were there before.

    ``pods`` are in the usual order, and known by their index in it.
    """

    def __init__(self, state: FinalState, pods: Sequence[Placed]) -> None:
        self.pods = pods
        self.spreads = Spreads(state, kept=True)
        self.owned: list[tuple[list[SpreadTally], CompanyTally | None]] = []
        companies: dict[tuple[Company, ...], CompanyTally] = {}
        for placed in pods:
            tally, terms = None, whom(placed.pod) if placed.pod.spec.affinity else ()
            if terms:
                if terms not in companies:
                    companies[terms] = CompanyTally(state, terms, kept=True)
                tally = companies[terms]
            spreads = self.spreads.of(placed.pod) if placed.pod.spec.spread else []
            self.owned.append((spreads, tally))
        self.kinds = [state.census.kind(placed) for placed in pods]
        self.counted: dict[Kind, tuple[list[SpreadTally], list[CompanyTally]]] = {}
        for spread in self.spreads:
            for kind in spread.kinds:
                self.counted.setdefault(kind, ([], []))[0].append(spread)
        for company in companies.values():
            for kind in company.kinds:
                self.counted.setdefault(kind, ([], []))[1].append(company)
        self._parked: set[int] = set()
        self._lines = _Lines(self._parked)
        self._by_company: dict[tuple[CompanyTally, str, str], list[tuple[int, int]]] = {}

    def run(self, ranks: Sequence[Key]) -> tuple[list[int], int]:
        """Bind everyone, lowest rank first among those that may; say how many may not.

        Who may not is parked where it is blocked, and comes back when that changes.
        """
        places = sorted(range(len(self.pods)), key=lambda at: ranks[at])
        ready = [(place, at) for place, at in enumerate(places)]
        parked, stuck = self._parked, list[tuple[int, int]]()
        order: list[int] = []
        forced = 0
        while ready or parked:
            if ready:
                place, at = heapq.heappop(ready)
                if self._park(place, at):
                    parked.add(at)
                    heapq.heappush(stuck, (place, at))
                else:
                    order.append(at)
            else:  # nobody may be bound: the first one goes against the filters
                at = heapq.heappop(stuck)[1]
                if at not in parked:
                    continue
                parked.remove(at)
                order.append(at)
                forced += 1
            freed = self._lines.follow(at) if at in parked else [*self._bind(at)]
            for each in freed:
                if each[1] in parked:
                    parked.remove(each[1])
                    heapq.heappush(ready, each)
        return order, forced

    def _park(self, place: int, at: int) -> bool:
        """Park a pod that may not be bound now, with what it waits for."""
        spreads, company = self.owned[at]
        node, kind = self.pods[at].node.name, self.kinds[at]
        if company is not None:
            lacking = company.lacking(node, 0)
            first = not company.anywhere and kind in company.kinds
            if lacking is not None and lacking[1] is not None and not first:
                self._by_company.setdefault((company, lacking[0], lacking[1]), []).append(
                    (place, at)
                )
                return True
        for spread in spreads:
            domain = spread.domain_of.get(node)
            counts = kind in spread.itself
            if domain is not None and spread.excess(domain, counts) > 0:
                self._lines.join((spread, domain, counts), place, at)
                return True
        return False

    def _bind(self, at: int) -> Iterator[tuple[int, int]]:
        """Count a pod; give the parked ones (place, pod) that should be asked again."""
        node, spreads, companies = (
            self.pods[at].node.name,
            *self.counted.get(self.kinds[at], ([], [])),
        )
        for company in companies:
            for key, domain in company.add(node):
                yield from self._by_company.pop((company, key, domain), ())
        for spread in spreads:
            if node in spread.eligible and spread.add(node):
                yield from self._lines.risen(spread)
        yield from self._lines.follow(at)

    def levels(self) -> list[tuple[int, ...]]:
        """For each pod, how full its domains are when they are filled evenly, the coarsest first.

        The n-th pod that counts in a domain comes when n - 1 are there.
        """
        spreads_of = [self._spreads_by_size(at) for at in range(len(self.pods))]
        filled = {spread: dict(spread.counts) for spread in self.spreads}
        found: list[tuple[int, ...]] = [()] * len(self.pods)
        for nth in range(max(map(len, spreads_of), default=0)):
            for at in sorted(range(len(self.pods)), key=lambda at: (found[at], at)):
                if nth < len(spreads_of[at]):
                    spread = spreads_of[at][nth]
                    domain = spread.domain_of[self.pods[at].node.name]
                    filled[spread][domain] += 1
                    found[at] = (filled[spread][domain], *found[at])
        return found

    def _spreads_by_size(self, at: int) -> list[SpreadTally]:
        """The tallies that count a pod where it is, the one with most domains first."""
        node, counted = self.pods[at].node.name, self.counted.get(self.kinds[at], ([], []))[0]
        here = [spread for spread in counted if node in spread.eligible]
        return sorted(here, key=lambda spread: -len(spread.counts))

    def needs(self) -> list[int]:
        """0 for a pod that waits for pods like itself and nobody else, 1 for the others.

        Among those the one that is first, where there is no company yet, has to be found.
        """
        sure: set[tuple[CompanyTally | None, str, str]] = set()
        for at, placed in enumerate(self.pods):
            for company in self.counted.get(self.kinds[at], ([], []))[1]:
                if self.owned[at][1] is not company:
                    sure.update((company, *each) for each in company.domains(placed.node.name))
        found = []
        for at, placed in enumerate(self.pods):
            own = self.owned[at][1]
            near = own.domains(placed.node.name) if own is not None else []
            alone = own is not None and self.kinds[at] in own.kinds
            found.append(0 if alone and any((own, *each) not in sure for each in near) else 1)
        return found


_Line: TypeAlias = tuple[SpreadTally, str, bool]
"""Who waits in a domain, those who count there themselves apart."""


class _Lines:
    """Who waits until a domain is not too full: of each line only the first is asked again.

    When that one is bound, or has to wait for something else, the next follows it, as long as the
    domain has room. To ask all of them whenever the least count rises is quadratic: 10,000 pods
    in three zones were asked 170,000 times.
    """

    def __init__(self, parked: Collection[int]) -> None:
        """Start without lines; of who stands in one, those count who are parked still."""
        self._parked = parked
        self._standing: dict[_Line, list[tuple[int, int]]] = {}
        self._closed: dict[SpreadTally, list[tuple[int, str, bool]]] = {}
        """Of each line that nobody may leave: the least count from which somebody may."""
        self._came_from: dict[int, _Line] = {}

    def join(self, line: _Line, place: int, at: int) -> None:
        """Have a pod wait that would make its domain too full."""
        if line not in self._standing:
            self._standing[line] = []
            self._close(line)
        heapq.heappush(self._standing[line], (place, at))

    def risen(self, spread: SpreadTally) -> Iterator[tuple[int, int]]:
        """The least count rose: the first of each line whose domain has room now."""
        closed = self._closed.get(spread, [])
        while closed and closed[0][0] <= spread.least:
            yield from self._first((spread, *heapq.heappop(closed)[1:]))

    def follow(self, at: int) -> Iterator[tuple[int, int]]:
        """A pod was asked: who stood behind it, if it came from a line."""
        line = self._came_from.pop(at, None)
        if line is not None:
            yield from self._first(line)

    def _first(self, line: _Line) -> Iterator[tuple[int, int]]:
        spread, domain, counts = line
        standing = self._standing[line]
        while standing and standing[0][1] not in self._parked:  # went against the filters
            heapq.heappop(standing)
        if not standing:
            del self._standing[line]
        elif spread.excess(domain, counts) > 0:
            self._close(line)
        else:
            place, at = heapq.heappop(standing)
            self._came_from[at] = line
            yield place, at

    def _close(self, line: _Line) -> None:
        spread, domain, counts = line
        needed = spread.least + spread.excess(domain, counts)
        heapq.heappush(self._closed.setdefault(spread, []), (needed, domain, counts))


def _block_by_block(replay: _Replay) -> list[Key]:
    """The usual order, firsts before others."""
    return [(needs, at) for at, needs in enumerate(replay.needs())]


def _level_by_level(replay: _Replay) -> list[Key]:
    """All domains evenly, across groups."""
    needs = replay.needs()
    return [(needs[at], *level, at) for at, level in enumerate(replay.levels())]


def _others_last(replay: _Replay) -> list[Key]:
    """Evenly, but first those that wait for something, then those that may come whenever."""
    levels = replay.levels()
    free = [not spreads and company is None for spreads, company in replay.owned]
    return [(free[at], *level, at) for at, level in enumerate(levels)]


def _others_first(replay: _Replay) -> list[Key]:
    """Evenly, but first those that may come whenever."""
    levels = replay.levels()
    owns = [bool(spreads) or company is not None for spreads, company in replay.owned]
    return [(owns[at], *level, at) for at, level in enumerate(levels)]


def _with_first(first: int) -> "_Arrangement":
    """Firsts before others, and this one before all."""

    def arrange(replay: _Replay) -> list[Key]:
        return [(at != first, needs, at) for at, needs in enumerate(replay.needs())]

    return arrange


def _arrangements(pods: int) -> Iterator["_Arrangement"]:
    """The ways to try, the likeliest first; few pods are tried in more."""
    yield from (_block_by_block, _level_by_level, _others_last, _others_first)
    if pods <= FEW_PODS_MAX:
        yield from map(_with_first, range(pods))


_Arrangement: TypeAlias = Callable[[_Replay], list[Key]]
