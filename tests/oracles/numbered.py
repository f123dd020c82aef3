"""A cluster in numbers: the data that models/placement/placement.mzn is solved with.

Numbers things and decides nothing. What a selector selects and where a volume is usable is read by
tests/oracles, never by batchsched.feasibility.
"""

from dataclasses import replace
from functools import cached_property
from math import gcd
from typing import Any

from batchsched.snapshot.pod import Disk, Pod, TopologySpread
from tests.oracles.cluster import Stand
from tests.oracles.dzn import Matrix
from tests.oracles.evicting import Scene
from tests.oracles.reading import selected, term_selects
from tests.oracles.reserved import in_numbers
from tests.oracles.rules import counted, eligible, matches_all
from tests.oracles.scores import extended, mix, node_score, selects_node

NUMBER_MAX = 2**31 // 2000


class Data:
    """One cluster in numbers; pods and nodes count from 1.

    First come the pending pods, then those that may come back, then those that hold a place.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene, self.cluster = scene, scene.cluster
        self.nodes = self.cluster.snapshot.nodes
        self.free = [key for key in scene.may_go if key not in scene.left_alone]
        moving = [scene.pods[key] for key in self.free if scene.may_go[key][1]]
        self.back = [replace(pod, node=None, phase="Pending") for pod in moving]
        self.new = [*self.cluster.pods, *self.back]
        self.stands = [Stand(pod, None, new=True) for pod in self.new] + list(self.cluster.fixed)
        self.pods: list[Pod] = [stand.pod for stand in self.stands]
        touched = [scene.pods[key] for key in scene.may_go]
        ranked_pods = [*self.cluster.window.pods, *touched]
        self.priorities = sorted({p.spec.priority for p in ranked_pods}, reverse=True)

    @cached_property
    def keys(self) -> dict[str, int]:
        """Topology keys that somebody names, numbered."""
        groups = self.cluster.snapshot.groups
        asked = [(g.required_topology, g.preferred_topology, g.slice_topology) for g in groups]
        found = {key for keys in asked for key in keys if key}
        for pod in self.pods:
            spec = pod.spec
            found |= {t.topology_key for t in (*spec.affinity, *spec.anti_affinity)}
            found |= {t.topology_key for _, t in spec.preferred_affinity}
            found |= {s.topology_key for s in spec.spread}
        return {key: i for i, key in enumerate(sorted(found), start=1)}

    @cached_property
    def values(self) -> dict[tuple[str, str], int]:
        """Domains by key and value, numbered."""
        found = {(k, v) for node in self.nodes for k, v in node.labels if k in self.keys}
        return {pair: i for i, pair in enumerate(sorted(found), start=1)}

    def domain(self, key: str, stand: Stand) -> int:
        return self.values.get((key, stand.domain(key) or ""), 0)

    def fields(self) -> dict[str, Any]:
        """Everything but what is optimised."""
        return (
            self._sets()
            | self._capacity()
            | self._ports_and_disks()
            | self._terms()
            | self._spreads()
            | self._gangs()
            | self._slices()
            | self._evictions()
            | self._storage()
            | self._scores()
        )

    def _sets(self) -> dict[str, Any]:
        index = {node.name: n for n, node in enumerate(self.nodes, start=1)}
        rows = [
            [0] + [self.values.get((key, dict(n.labels).get(key, "")), 0) for n in self.nodes]
            for key in self.keys
        ]
        return {
            "pending": len(self.new),
            "fixed": len(self.cluster.fixed),
            "nodes": len(self.nodes),
            "keys": len(self.keys),
            "domains": len(self.values),
            "place_of_fixed": [index[s.node.name] if s.node else 0 for s in self.cluster.fixed],
            "domain_of": Matrix("KEY", "PLACE", rows),
            "allowed": [
                set()
                if self.cluster.set_aside(p)
                else {index[n.name] for n in self.nodes if self.cluster.admits(p, n)}
                for p in self.new
            ],
        }

    def _capacity(self) -> dict[str, Any]:
        typical = mix(self.cluster)
        shapes = [shape for shape, _, _ in typical.shapes]
        asked = {r for stand in self.stands for r in stand.requests}
        names = sorted({"cpu", "memory"} | asked | {typical.scarce}.union(*shapes))
        unit = {}
        for r in names:
            amounts = [
                *(shape.get(r, 0) for shape in shapes),
                *(s.requests.get(r, 0) for s in self.stands),
            ]
            unit[r] = gcd(*amounts, *(dict(n.allocatable).get(r, 0) for n in self.nodes)) or 1
        requests = [[s.requests.get(r, 0) // unit[r] for r in names] for s in self.stands]
        room = [[dict(n.allocatable).get(r, 0) // unit[r] for r in names] for n in self.nodes]
        if max([0, *(x for row in requests + room for x in row)]) > NUMBER_MAX:
            raise AssertionError("quantities are too fine for MiniZinc's solver: round them")
        dominant = {"cpu", "memory", *extended(self.cluster)}
        kept = in_numbers(self.cluster, self.new, {r: unit[r] for r in names})
        return kept | {
            "resources": len(names),
            "request": Matrix("POD", "RESOURCE", requests),
            "allocatable": Matrix("NODE", "RESOURCE", room),
            "slots": [dict(n.allocatable).get("pods", 0) for n in self.nodes],
            "shapes": len(shapes),
            "shape": Matrix(
                "SHAPE", "RESOURCE", [[q.get(r, 0) // unit[r] for r in names] for q in shapes]
            ),
            "home": [
                {i for i, n in enumerate(self.nodes, start=1) if selects_node(pod, n)}
                for _, pod, _ in typical.shapes
            ],
            "popularity": [popularity for *_, popularity in typical.shapes],
            "scarce": names.index(typical.scarce) + 1,
            "piece": typical.piece // unit[typical.scarce] if shapes else 1,
            "dominant": {i for i, r in enumerate(names, start=1) if r in dominant},
            "using": {
                i
                for i, p in enumerate(self.pods, start=1)
                if p.owner is None or p.owner.kind not in {"DaemonSet", "Node"}
            },
        }

    def _ports_and_disks(self) -> dict[str, Any]:
        ports = [(i, p) for i, pod in self.numbered() for p in pod.spec.host_ports]
        disks = [(i, d) for i, pod in self.numbered() for d in pod.spec.disks]
        number = ranked((p.protocol, p.port) for _, p in ports)
        address = ranked(p.ip for _, p in ports) | {"0.0.0.0": 0}  # noqa: S104 -- wildcard
        name = ranked(n for _, d in disks for n in disk_names(d))
        return {
            "ports": len(ports),
            "port_pod": [i for i, _ in ports],
            "port_number": [number[p.protocol, p.port] for _, p in ports],
            "port_address": [address[p.ip] for _, p in ports],
            "disks": len(disks),
            "disk_pod": [i for i, _ in disks],
            "disk_names": [{name[n] for n in disk_names(d)} for _, d in disks],
            "disk_shareable": [d.read_only and d.kind != "awsElasticBlockStore" for _, d in disks],
        }

    def _terms(self) -> dict[str, Any]:
        snapshot = self.cluster.snapshot
        antis = [(i, p, t) for i, p in self.numbered() for t in p.spec.anti_affinity]
        owners = [(i, p) for i, p in self.numbered() if p.spec.affinity and i <= len(self.new)]
        wishes = [
            (i, p, w, t)
            for i, p in self.numbered()
            if i <= len(self.new)
            for w, t in p.spec.preferred_affinity
        ]
        return {
            "antis": len(antis),
            "anti_owner": [i for i, _, _ in antis],
            "anti_key": [self.keys[t.topology_key] for _, _, t in antis],
            "anti_match": [
                self.which(lambda q, p=p, t=t: term_selects(snapshot, p, t, q)) for _, p, t in antis
            ],
            "affinities": len(owners),
            "affinity_owner": [i for i, _ in owners],
            "affinity_keys": [
                {self.keys[t.topology_key] for t in p.spec.affinity} for _, p in owners
            ],
            "affinity_match": [
                self.which(lambda q, p=p: matches_all(self.cluster, p, q)) for _, p in owners
            ],
            "wishes": len(wishes),
            "wish_owner": [i for i, _, _, _ in wishes],
            "wish_key": [self.keys[t.topology_key] for _, _, _, t in wishes],
            "wish_points": [2 * w for _, _, w, _ in wishes],
            "wish_match": [
                self.which(lambda q, p=p, t=t: term_selects(snapshot, p, t, q))
                for _, p, _, t in wishes
            ],
        }

    def _spreads(self) -> dict[str, Any]:
        hard: list[tuple[int, TopologySpread]] = []
        soft: dict[Any, set[int]] = {}
        facts: dict[Any, tuple[Pod, TopologySpread]] = {}
        for i, pod in enumerate(self.new, start=1):
            for s in pod.spec.spread:
                if s.hard:
                    hard.append((i, s))
                else:
                    key = s.topology_key, s.max_skew, s.selector, pod.namespace
                    nodes = tuple(sorted(self._eligible(pod, s)))
                    soft.setdefault((key, nodes), set()).add(i)
                    facts[key, nodes] = pod, s
        return {
            "spreads": len(hard),
            "spread_owner": [i for i, _ in hard],
            "spread_key": [self.keys[s.topology_key] for _, s in hard],
            "spread_skew": [s.max_skew for _, s in hard],
            "spread_domains_min": [s.min_domains for _, s in hard],
            "spread_eligible": [self._eligible(self.new[i - 1], s) for i, s in hard],
            "spread_counted": [self._counted(self.new[i - 1], s) for i, s in hard],
            "softs": len(soft),
            "soft_owners": list(soft.values()),
            "soft_key": [self.keys[facts[key][1].topology_key] for key in soft],
            "soft_skew": [facts[key][1].max_skew for key in soft],
            "soft_eligible": [self._eligible(*facts[key]) for key in soft],
            "soft_counted": [self._counted(*facts[key]) for key in soft],
        }

    def _gangs(self) -> dict[str, Any]:
        index = {pod.key: i for i, pod in enumerate(self.cluster.pods, start=1)}
        at = {stand.pod.key: i for i, stand in self.held()}
        numbers = sorted({n for key, n in self.cluster.group_index.items() if key in at | index})
        groups = [self.cluster.group(n) for n in numbers]
        minimums = [
            (g, *minimum)
            for g, n in enumerate(numbers, start=1)
            for each in self.cluster.union(n)
            for minimum in self.cluster.minimums(each)
        ]
        wishing = [g for g in groups if g.preferred]
        return {
            "minimums": len(minimums),
            "minimum_gang": [g for g, *_ in minimums],
            "minimum_least": [least for _, least, _, _ in minimums],
            "minimum_members": [{index[key] for key in who} for _, _, who, _ in minimums],
            "minimum_runners": [{at[key] for key in who} for *_, who in minimums],
            "gangs": len(groups),
            "gang_members": [{index[key] for key in g.members} for g in groups],
            "gang_runners": [{at[s.pod.key] for s in g.running} for g in groups],
            "gang_whole": [self.cluster.snapshot.groups[n].goes_whole for n in numbers],
            "gang_key": [self.keys[g.required] if g.required else 0 for g in groups],
            "gang_running": [
                {self.domain(g.required or "", s) for s in g.running} - {0} for g in groups
            ],
            "togethers": len(wishing),
            "together_members": [{index[key] for key in g.members} for g in wishing],
            "together_key": [self.keys[g.preferred or ""] for g in wishing],
            "together_runners": [{at[s.pod.key] for s in g.running if s.node} for g in wishing],
        }

    def _slices(self) -> dict[str, Any]:
        index = {pod.key: i for i, pod in enumerate(self.cluster.pods, start=1)}
        cluster, domains = self.cluster, range(len(self.values) + 1)
        about = [cluster.snapshot.groups[cluster.group_index[g.members[0]]] for g in cluster.groups]
        sliced = [(g, a) for g, a in zip(cluster.groups, about, strict=True) if a.slice_topology]
        ran = [[self.domain(a.slice_topology or "", s) for s in g.running] for g, a in sliced]
        return {
            "sliceds": len(sliced),
            "sliced_members": [{index[key] for key in g.members} for g, _ in sliced],
            "sliced_key": [self.keys[a.slice_topology or ""] for _, a in sliced],
            "sliced_size": [a.slice_size for _, a in sliced],
            "sliced_running": Matrix(
                f"1..{len(sliced)}",
                f"0..{len(self.values)}",
                [[where.count(d) for d in domains] for where in ran],
            ),
        }

    def _evictions(self) -> dict[str, Any]:
        scene, budgets = self.scene, self.scene.snapshot.budgets
        first = len(self.cluster.pods) + 1
        back = {pod.key: i for i, pod in enumerate(self.back, start=first)}
        leavers = [(i, s.pod) for i, s in self.held() if s.pod.key in self.free]
        window = list(enumerate(self.cluster.pods, start=1))
        strong = [(i, p.spec) for i, p in window if not p.spec.preemption_never]
        mild = {i for i, p in window if p.spec.preemption_never}
        ranked_pods = list(enumerate(self.new, start=1))
        ranked_pods += [(i, s.pod) for i, s in self.held() if s.pod.key in scene.may_go]
        of_priority = [
            {i for i, p in ranked_pods if p.spec.priority == each} for each in self.priorities
        ]
        moves = scene.allowance.moves_max
        return {
            "leavers": {i for i, _ in leavers},
            "back": [back.get(p.key, 0) if i >= first else 0 for i, p in self.numbered()],
            "preemptible": {i for i, p in leavers if scene.may_go[p.key][0]},
            "causes": [
                {i for i, spec in strong if spec.priority > p.spec.priority} for p in self.pods
            ],
            "moves_most": len(self.back) if moves is None else moves,
            "priorities": len(self.priorities),
            "priority_pods": of_priority,
            "preempting": [pods - mild for pods in of_priority],
            "budgets": len(budgets),
            "budget_pods": [
                {
                    i
                    for i, p in leavers
                    if p.namespace == b.namespace and selected(b.selector, dict(p.labels))
                }
                for b in budgets
            ],
            "budget_allowed": [b.disruptions_allowed for b in budgets],
        }

    def _storage(self) -> dict[str, Any]:
        storage = self.cluster.storage
        exclusive = sorted({key for pod in self.pods for key in storage.exclusive(pod)})
        unbound = sorted(
            {c.key for pod in self.new for c in storage.claims_of(pod) if storage.waits(c)}
        )
        claims = [storage.claims[key] for key in unbound]
        volume = ranked(v.name for v in self.cluster.snapshot.volumes)
        static = [[{volume[v] for v in storage.choices(c, n)} for n in self.nodes] for c in claims]
        return {
            "exclusives": len(exclusive),
            "exclusive_users": [
                self.which(lambda q, key=key: key in storage.exclusive(q)) for key in exclusive
            ],
            "claims": len(claims),
            "statics": len(volume),
            "claim_users": [
                self.which(lambda q, c=c: c in storage.claims_of(q)) & self._all_new for c in claims
            ],
            "claim_static": Matrix("CLAIM", "NODE", static),
            "claim_provisioned": [
                {i for i, n in enumerate(self.nodes, start=1) if storage.provisions(c, n)}
                for c in claims
            ],
        } | self._limits()

    def _limits(self) -> dict[str, Any]:
        storage = self.cluster.storage
        limits: list[tuple[int, int]] = []
        volumes: list[tuple[int, set[int], bool]] = []
        for n, node in enumerate(self.nodes, start=1):
            there = storage.attachments(node)
            users: dict[tuple[str, str], set[int]] = {name: set() for name in sorted(there)}
            for i, pod in self.numbered():
                for name in sorted(storage.attached(pod, node)):
                    users.setdefault(name, set()).add(i)
            for driver in sorted({driver for driver, _ in users}):
                limit = storage.limit(node, driver)
                if limit is not None:
                    limits.append((n, limit))
                    own = [name for name in users if name[0] == driver]
                    volumes += [(len(limits), users[name], name in there) for name in own]
        return {
            "limits": len(limits),
            "limit_node": [n for n, _ in limits],
            "limit_most": [most for _, most in limits],
            "volumes": len(volumes),
            "volume_limit": [limit for limit, _, _ in volumes],
            "volume_users": [pods for _, pods, _ in volumes],
            "volume_attached": [attached for _, _, attached in volumes],
        }

    def _scores(self) -> dict[str, Any]:
        rows = [[0] + [node_score(self.cluster, p, n) for n in self.nodes] for p in self.new]
        return {"node_score": Matrix("NEW", "PLACE", rows)}

    @property
    def _all_new(self) -> set[int]:
        return set(range(1, len(self.new) + 1))

    def _eligible(self, pod: Pod, constraint: TopologySpread) -> set[int]:
        nodes = eligible(self.cluster, pod, constraint)
        return {i for i, node in enumerate(self.nodes, start=1) if node in nodes}

    def _counted(self, pod: Pod, constraint: TopologySpread) -> set[int]:
        return self.which(lambda q: counted(constraint.selector, pod.namespace, q))

    def numbered(self) -> list[tuple[int, Pod]]:
        return list(enumerate(self.pods, start=1))

    def held(self) -> list[tuple[int, Stand]]:
        """Those that hold a place, numbered."""
        return list(enumerate(self.cluster.fixed, start=len(self.new) + 1))

    def which(self, wanted: Any) -> set[int]:
        """The numbers of the pods for which something holds."""
        return {i for i, pod in self.numbered() if wanted(pod)}


def ranked(things: Any) -> dict[Any, int]:
    """Distinct things, numbered from 1."""
    return {thing: i for i, thing in enumerate(sorted(set(things)), start=1)}


def disk_names(disk: Disk) -> list[tuple[str, ...]]:
    """What makes two mounts the same disk: a name in common."""
    return [(disk.kind, *disk.ids, m) for m in disk.monitors or ("",)]
