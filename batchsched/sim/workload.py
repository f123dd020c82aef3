"""Workloads: Kubernetes objects to a scenario.

Nodes, PodGroups and all else a snapshot may hold are read by ``snapshot.read``; Pods, Jobs and
CronJobs become what arrives when. Annotations say what no manifest does: how long a pod runs, when
an object comes. docs/simulate.md is the manual.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

import orjson
from croniter import croniter

from batchsched.sim.controllers import CronTemplate, JobTemplate
from batchsched.sim.header import ArrivalModel, SimulationModel, header
from batchsched.sim.scenario import JobArrival, NodeArrival, PodArrival, Scenario
from batchsched.snapshot.api import Metadata, Object
from batchsched.snapshot.documents import documents
from batchsched.snapshot.durations import seconds
from batchsched.snapshot.ends import EXPECTED_DURATION
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.groups import Declared
from batchsched.snapshot.kinds import as_model
from batchsched.snapshot.objects import Item, items
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot

ARRIVES, LEAVES, COUNT = (
    "batchsched.io/arrives-at",
    "batchsched.io/leaves-at",
    "batchsched.io/count",
)
COUNT_MAX = 10_000
Key = tuple[str, str, str]
"""(kind, namespace, name)"""


@dataclass(slots=True)
class _Objects:
    """The objects of a workload, by what becomes of them."""

    headers: list[Item] = field(default_factory=list)
    nodes: list[Item] = field(default_factory=list)
    movers: dict[Key, Item] = field(default_factory=dict)
    """Pods, Jobs and CronJobs."""
    others: list[Item] = field(default_factory=list)


def load(files: Iterable[tuple[str, bytes]], seed: int = 0) -> Scenario:
    """Make a scenario of workload files.

    Args:
        files: (name, bytes) of each; JSON or YAML.
        seed: Draws random gaps between arrivals.

    Raises:
        InputError: An object or a field cannot be used.
    """
    found = _sorted(files)
    head = header(found.headers)
    base, pods = _nouns(found)
    declared = Declared(
        groups={group.key: group for group in base.groups},
        composites={each.key: each for each in base.composites},
    )
    arrivals = list(_arrivals(head, found, seed))
    scenario = Scenario(
        name=head.name,
        base=replace(base, nodes=_from_start(found, base), groups=(), group_of=()),
        duration_s=head.spec.duration,
        start=head.spec.start,
        declared=declared,
        nodes=_coming(found, base),
        timing=head.spec.window.timing(),
        policies=tuple(head.spec.policies),
    )
    return _with_movers(scenario, found, pods, arrivals)


def _sorted(files: Iterable[tuple[str, bytes]]) -> _Objects:
    """Sort the objects of all files."""
    found = _Objects()
    for source, data in files:
        try:
            every = [item for document in documents(data) for item in items(source, document)]
        except InputError as error:
            raise error if error.source else InputError(error.what, source=source) from None
        for item in every:
            _sort(found, item)
    return found


def _sort(found: _Objects, item: Item) -> None:
    if item.kind.name == "Simulation":
        found.headers.append(item)
        return
    meta = as_model(Object, item).metadata
    if item.kind.name == "Node":
        found.nodes.extend(_copies(item, meta))
    elif item.kind.name in {"Pod", "Job", "CronJob"}:
        key = (item.kind.name, meta.namespace or "default", meta.name)
        if key in found.movers:
            raise InputError("is there twice", source=item.source, where=item.where)
        found.movers[key] = item
    else:
        found.others.append(item)


def _copies(item: Item, meta: Metadata) -> Iterator[Item]:
    """A node as often as its annotation says, under numbered names."""
    count = int(_note(item, COUNT, "1", float))
    if not 1 <= count <= COUNT_MAX:
        raise _refusal(item, COUNT, f"must be 1 to {COUNT_MAX}")
    if COUNT not in _annotations(item):
        yield item
        return
    for number in range(count):
        raw = deepcopy(item.raw)
        name = raw["metadata"]["name"] = f"{meta.name}-{number}"
        raw["metadata"]["labels"] = (meta.labels or {}) | {"kubernetes.io/hostname": name}
        yield item._replace(raw=raw)


def _nouns(found: _Objects) -> tuple[Snapshot, dict[Key, Pod]]:
    """Read the cluster, and one pod for each object that makes pods."""
    cluster = [(i.source, _typed(i)) for i in (*found.nodes, *found.others)]
    base = read(cluster)
    named: dict[str, Key] = {}
    samples = []
    for key, item in found.movers.items():
        name = f"{key[0].lower()}.{key[2]}"
        named[f"{key[1]}/{name}"] = key
        samples.append((item.source, orjson.dumps(_sample(item, key, name))))
    read_pods = read([*cluster, *samples]).pods if samples else ()
    return base, {named[pod.full_name]: pod for pod in read_pods}


def _typed(item: Item) -> bytes:
    """An object as bytes, with its kind also where only its list said so."""
    kind = item.kind
    version = f"{kind.group}/{kind.version}" if kind.group else kind.version or "v1"
    return orjson.dumps({**item.raw, "apiVersion": version, "kind": kind.name})


def _sample(item: Item, key: Key, name: str) -> dict[str, Any]:
    """The pod that an object makes, as an API object."""
    template = _template(item)
    if key[0] != "Pod" and not isinstance(template.get("spec"), dict):
        raise InputError("has no template", source=item.source, where=item.where)
    meta = template.get("metadata") or {}
    if not isinstance(meta, dict):
        what = "the metadata of its template must be an object"
        raise InputError(what, source=item.source, where=item.where)
    meta = {**meta, "name": name, "namespace": key[1]}
    meta.pop("uid", None)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template.get("spec")}


def _template(item: Item) -> dict[str, Any]:
    """The part of an object that describes a pod."""
    raw: Any = item.raw
    path = {"Pod": (), "Job": ("spec", "template"), "CronJob": _CRON_TEMPLATE}[item.kind.name]
    for name in path:
        raw = raw.get(name) if isinstance(raw, dict) else None
    return raw if isinstance(raw, dict) else {}


_CRON_TEMPLATE = ("spec", "jobTemplate", "spec", "template")


def _from_start(found: _Objects, base: Snapshot) -> tuple[Any, ...]:
    """The nodes that are there from the start."""
    later = {i.raw["metadata"]["name"] for i in found.nodes if ARRIVES in _annotations(i)}
    return tuple(node for node in base.nodes if node.name not in later)


def _coming(found: _Objects, base: Snapshot) -> list[NodeArrival]:
    """The nodes that come or leave."""
    nodes = {node.name: node for node in base.nodes}
    arrivals = []
    for item in found.nodes:
        notes = _annotations(item)
        if ARRIVES in notes or LEAVES in notes:
            until_s = _note(item, LEAVES, "0", seconds) if LEAVES in notes else None
            at_s = _note(item, ARRIVES, "0", seconds)
            arrivals.append(NodeArrival(at_s, nodes[item.raw["metadata"]["name"]], until_s))
    return arrivals


def _arrivals(
    head: SimulationModel, found: _Objects, seed: int
) -> Iterator[tuple[ArrivalModel, list[float]]]:
    """When the objects that arrive again and again do so."""
    random = Random(seed)
    for arrival in head.spec.arrivals:
        if arrival.key not in found.movers:
            raise InputError(
                f"{arrival.object} is not in the workload", where="Simulation", field="arrivals"
            )
        at_s, times = arrival.first, []
        for _ in range(arrival.count):
            times.append(at_s)
            gap = random.expovariate(1.0) if arrival.spread == "poisson" else 1.0
            at_s += gap * arrival.every
        yield arrival, times


def _with_movers(
    scenario: Scenario,
    found: _Objects,
    pods: dict[Key, Pod],
    arrivals: list[tuple[ArrivalModel, list[float]]],
) -> Scenario:
    """The scenario with all that arrives."""
    again = {arrival.key: times for arrival, times in arrivals}
    single: list[PodArrival] = []
    jobs: list[JobArrival] = []
    crons: list[CronTemplate] = []
    for key, item in sorted(found.movers.items()):
        times = again.get(key) or [_note(item, ARRIVES, "0", seconds)]
        if key[0] == "CronJob":
            crons.append(_cron(item, key, pods[key]))
            continue
        for number, at_s in enumerate(times):
            name = f"{key[2]}-{number}" if key in again else key[2]
            if key[0] == "Job":
                jobs.append(JobArrival(at_s, replace(_job(item, key, pods[key]), name=name)))
            else:
                created = (scenario.start + timedelta(seconds=at_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
                pod = replace(pods[key], name=name, uid="", created=created)
                single.append(PodArrival(at_s, pod, _duration(item)))
    return replace(scenario, pods=single, jobs=jobs, crons=crons)


def _job(item: Item, key: Key, pod: Pod) -> JobTemplate:
    """A Job, or the Job that a CronJob makes."""
    raw: Any = item.raw.get("spec") or {}
    if item.kind.name == "CronJob":
        raw = (raw.get("jobTemplate") or {}).get("spec") or {}
    parallelism = raw.get("parallelism", 1)
    completions = raw.get("completions", parallelism)
    for name, value in (("parallelism", parallelism), ("completions", completions)):
        if not isinstance(value, int) or not 1 <= value <= COUNT_MAX:
            what = f"must be a whole number from 1 to {COUNT_MAX}, not {value!r}"
            raise InputError(what, source=item.source, where=item.where, field=f"spec.{name}")
    return JobTemplate(
        key[1], key[2], pod, min(parallelism, completions), completions, _duration(item)
    )


def _cron(item: Item, key: Key, pod: Pod) -> CronTemplate:
    spec = item.raw.get("spec") or {}
    schedule, policy = str(spec.get("schedule", "")), spec.get("concurrencyPolicy") or "Allow"
    if not croniter.is_valid(schedule):
        what = f"{schedule!r} is no schedule; write five fields as in 0 2 * * *"
        raise InputError(what, source=item.source, where=item.where, field="spec.schedule")
    if policy not in {"Allow", "Forbid", "Replace"}:
        what = f"must be Allow, Forbid or Replace, not {policy!r}"
        raise InputError(what, source=item.source, where=item.where, field="concurrencyPolicy")
    return CronTemplate(_job(item, key, pod), schedule, policy, bool(spec.get("suspend")))


def _duration(item: Item) -> float | None:
    """How long each pod runs, None: until the end."""
    for notes in (_annotations(item), (_template(item).get("metadata") or {}).get("annotations")):
        if notes and EXPECTED_DURATION in notes:
            try:
                return seconds(notes[EXPECTED_DURATION])
            except ValueError as error:
                raise _refusal(item, EXPECTED_DURATION, str(error)) from None
    return None


def _note(item: Item, name: str, default: str, read_as: Any) -> float:  # noqa: ANN401 -- a function
    """A number in an annotation."""
    try:
        return float(read_as(_annotations(item).get(name, default)))
    except ValueError as error:
        raise _refusal(item, name, str(error)) from None


def _annotations(item: Item) -> dict[str, Any]:
    meta = item.raw.get("metadata")
    notes = meta.get("annotations") if isinstance(meta, dict) else None
    return notes if isinstance(notes, dict) else {}


def _refusal(item: Item, annotation: str, what: str) -> InputError:
    return InputError(
        what, source=item.source, where=item.where, field=f"metadata.annotations[{annotation}]"
    )
