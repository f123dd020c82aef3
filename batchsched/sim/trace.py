"""Traces: the openb tables (a node list and a pod list, as CSV) to a scenario.

A file is told by the columns of its first line. Pods that ask for a fraction of a device are left
for a later version, and counted. The trace as it was recorded hardly fills its cluster, so a seed
draws a run that does; docs/simulate.md says how.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from random import Random
from typing import Literal

import pandas as pd

from batchsched.sim.scenario import PodArrival, Scenario
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.labels import NodeSelectorTerm, Requirement
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod, PodSpec, Quantities
from batchsched.snapshot.snapshot import Snapshot

NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
POD_COLUMNS = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
TIMES = ("creation_time", "deletion_time")
GPU, MODEL, PODS_PER_NODE = "nvidia.com/gpu", "nvidia.com/gpu.product", 256
MIB, WHOLE_GPU_MILLI = 1024**2, 1000
NUMBER_MAX = 2**30
"""Of milli-cores, MiB, devices: more than any machine has."""
START = datetime(2026, 1, 5, tzinfo=UTC)

Arrivals = Literal["drawn", "recorded", "backlog"]


@dataclass(frozen=True, slots=True)
class Draw:
    """How pods of a trace arrive.

    ``drawn``: pods are drawn with replacement and arrive evenly at random over ``span_s``, so many
    that those in flight at its end would ask for ``load`` times all GPUs. ``recorded``: at the
    times of the trace. ``backlog``: all at once, in an order drawn from the seed; nobody ends.
    """

    arrivals: Arrivals = "drawn"
    seed: int = 0
    load: float = 0.95
    span_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class _Row:
    """A pod of the trace, its spec shared by all of its shape."""

    name: str
    spec: PodSpec
    gpus: int
    created_s: float
    duration_s: float | None


def is_trace(data: bytes) -> bool:
    """Whether a file is one of the two tables."""
    return _columns(data)[: len(NODE_COLUMNS)] in {NODE_COLUMNS, POD_COLUMNS}


def _columns(data: bytes) -> tuple[str, ...]:
    line = data[:1000].split(b"\n", 1)[0].decode("utf-8", "replace")
    return tuple(name.strip() for name in line.split(","))


def load_trace(files: Sequence[tuple[str, bytes]], draw: Draw) -> Scenario:
    """Make a scenario of a node list and a pod list.

    Raises:
        InputError: It is not one of each, or a value is no number.
    """
    tables: dict[tuple[str, ...], tuple[str, bytes]] = {}
    for source, data in files:
        tables.setdefault(_columns(data)[: len(NODE_COLUMNS)], (source, data))
    if set(tables) != {NODE_COLUMNS, POD_COLUMNS} or len(files) != len(tables):
        what = "a trace is two files: one node list (sn, ...) and one pod list (name, ...)"
        raise InputError(what, source=files[0][0])
    nodes = _nodes(*tables[NODE_COLUMNS])
    rows, notes = _rows(*tables[POD_COLUMNS])
    pods = _arrivals(rows, nodes, draw)
    last_s = max((pod.at_s for pod in pods), default=0.0)
    span_s = draw.span_s if draw.arrivals == "drawn" else last_s + 60.0
    return Scenario(
        name="trace",
        base=Snapshot(nodes=nodes),
        duration_s=span_s,
        start=START,
        pods=pods,
        notes=(*notes, f"{len(pods):,} pods arrive in {span_s:,.0f} s ({draw.arrivals})"),
    )


def _table(source: str, data: bytes, numbers: Sequence[str]) -> pd.DataFrame:
    """A table whose named columns are whole numbers; times, where it has them, are finite."""
    try:
        table = pd.read_csv(BytesIO(data), dtype={"model": str, "gpu_spec": str})
        for column in numbers:
            table[column] = table[column].astype("int64")
        for column in set(TIMES) & set(table):
            table[column] = pd.to_numeric(table[column]).astype("float64")
    except (ValueError, KeyError, OverflowError, pd.errors.ParserError) as error:
        raise InputError(f"cannot be read as a table: {error}", source=source) from None
    for column in numbers:
        if not table[column].between(0, NUMBER_MAX).all():
            raise InputError(f"{column} must be 0 to {NUMBER_MAX}", source=source)
    for column in sorted(set(TIMES) & set(table)):
        if not table[column].abs().lt(float("inf")).all():
            raise InputError(f"{column} must be seconds in every row", source=source)
    name = table.columns[0]
    if table[name].isna().any() or table[name].duplicated().any():
        raise InputError(f"{name} must be there, and another in every row", source=source)
    return table


def _quantities(cpu_milli: int, memory_mib: int, gpu: int, pods: int = 0) -> Quantities:
    amounts = {"cpu": cpu_milli, "memory": memory_mib * MIB, GPU: gpu, "pods": pods}
    return tuple(sorted((name, int(amount)) for name, amount in amounts.items() if amount))


def _nodes(source: str, data: bytes) -> tuple[Node, ...]:
    table = _table(source, data, NODE_COLUMNS[1:4])
    found = []
    for row in table.itertuples(index=False):
        labels = {"kubernetes.io/hostname": str(row.sn)}
        if isinstance(row.model, str) and row.model:
            labels[MODEL] = row.model
        found.append(
            Node(
                name=str(row.sn),
                uid=f"uid-{row.sn}",
                labels=tuple(sorted(labels.items())),
                allocatable=_quantities(row.cpu_milli, row.memory_mib, row.gpu, PODS_PER_NODE),  # type: ignore[arg-type]
            )
        )
    return tuple(sorted(found, key=lambda node: node.name))


def _rows(source: str, data: bytes) -> tuple[list[_Row], tuple[str, ...]]:
    """The pods that can be placed, and what is to be said of those that were left out."""
    table = _table(source, data, POD_COLUMNS[1:])
    fractional = (table.num_gpu == 1) & (table.gpu_milli < WHOLE_GPU_MILLI)
    timed = all(name in table for name in TIMES)
    specs: dict[object, PodSpec] = {}
    rows = []
    for row in table[~fractional].to_dict("records"):
        models = row.get("gpu_spec")
        models = models if isinstance(models, str) else ""
        shape = (int(row["cpu_milli"]), int(row["memory_mib"]), int(row["num_gpu"]), models)
        spec = specs.setdefault(shape, _spec(*shape))
        created_s = float(row[TIMES[0]]) if timed else 0.0
        duration_s = max(float(row[TIMES[1]]) - created_s, 1.0) if timed else None
        rows.append(_Row(str(row["name"]), spec, int(shape[2]), created_s, duration_s))
    left_out = int(fractional.sum())
    note = f"{left_out:,} of {len(table):,} pods ask for a fraction of a GPU and are left out"
    return rows, (note,) if left_out else ()


def _spec(cpu_milli: int, memory_mib: int, gpu: int, models: str) -> PodSpec:
    terms = None
    if models:
        names = tuple(sorted(set(models.split("|"))))
        terms = (NodeSelectorTerm((Requirement(MODEL, "In", names),)),)
    return PodSpec(requests=_quantities(cpu_milli, memory_mib, gpu), node_affinity=terms)


def _arrivals(rows: list[_Row], nodes: tuple[Node, ...], draw: Draw) -> list[PodArrival]:
    """Who arrives when, in the order of arrival."""
    random = Random(draw.seed)
    if draw.arrivals == "recorded":
        first_s = min((row.created_s for row in rows), default=0.0)
        chosen = [(row.created_s - first_s, row) for row in rows]
    elif draw.arrivals == "backlog":
        chosen = [(0.0, row) for row in random.sample(rows, len(rows))]
    else:
        chosen = _drawn(rows, nodes, draw, random)
    chosen.sort(key=lambda each: each[0])
    return [_arrival(number, *each, draw) for number, each in enumerate(chosen)]


def _drawn(
    rows: list[_Row], nodes: tuple[Node, ...], draw: Draw, random: Random
) -> list[tuple[float, _Row]]:
    """Draw pods until those expected in flight at the end ask for enough GPUs."""
    total = sum(dict(node.allocatable).get(GPU, 0) for node in nodes)
    if not rows or not total:
        raise InputError("nothing to draw: the trace has no whole-GPU pods or no GPU nodes")
    in_flight, chosen = 0.0, []
    while in_flight < draw.load * total:
        row = random.choice(rows)
        at_s = random.uniform(0.0, draw.span_s)
        duration_s = draw.span_s if row.duration_s is None else min(row.duration_s, draw.span_s)
        in_flight += row.gpus * duration_s / draw.span_s
        chosen.append((at_s, row))
    return chosen


def _arrival(number: int, at_s: float, row: _Row, draw: Draw) -> PodArrival:
    """One pod; its name sorts in the order of arrival, as its creation time does."""
    created = (START + timedelta(seconds=at_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    name, spec = f"p{number:06}-{row.name}", row.spec
    pod = Pod("openb", name, spec=spec, requests=spec.requests, created=created)
    return PodArrival(at_s, pod, None if draw.arrivals == "backlog" else row.duration_s)
