"""The plan's file: what was decided, in the words of the contract, key by key.

The border between what we compute and what people and scripts read; so pydantic, strict, with
camelCase keys in a fixed order. The same content is the same bytes. What a newer version adds is
left alone.
"""

from typing import Any, Literal, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.reservation import Reservation

GroupStatus: TypeAlias = Literal["Placed", "Waiting", "Unplaced"]
API_VERSION: Literal["batchsched.io/v1alpha1"] = "batchsched.io/v1alpha1"


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, extra="ignore", frozen=True, populate_by_name=True, strict=True
    )


class PlanSnapshot(_Part):
    """What the plan was made from."""

    sha256: str = ""
    nodes: int = 0
    pods: int = 0
    pending: int = 0


class PlanAllowance(_Part):
    """What the plan might do to running pods."""

    preemption: Literal["never", "lower-priority"] = "never"
    moves: int | Literal["unlimited"] = 0

    @classmethod
    def of(cls, allowance: Allowance) -> "PlanAllowance":
        """In the words of the command line."""
        preemption: Literal["never", "lower-priority"]
        preemption = "lower-priority" if allowance.preemption else "never"
        moves: int | Literal["unlimited"] = "unlimited"
        if allowance.moves_max is not None:
            moves = allowance.moves_max
        return cls(preemption=preemption, moves=moves)

    def meant(self) -> Allowance:
        """In our own words."""
        moves_max = None if self.moves == "unlimited" else self.moves
        return Allowance(self.preemption == "lower-priority", moves_max)


class PlanReservedPod(_Part):
    """A pod that room is kept for."""

    namespace: str
    name: str


class PlanReservedNode(_Part):
    """What is kept of a node: milli-cores, bytes, units; ``pods`` is how many come there."""

    name: str
    amounts: dict[str, int]


class PlanReservation(_Part):
    """Room that the plan keeps for pods that have waited long; times are seconds since 1970."""

    pods: tuple[PlanReservedPod, ...]
    priority: int
    at_seconds: float
    until_seconds: float | None = None
    nodes: tuple[PlanReservedNode, ...]

    @classmethod
    def of(cls, made: Reservation) -> "PlanReservation":
        """As a file says it."""
        return cls(
            pods=tuple(PlanReservedPod(namespace=ns, name=name) for ns, name in made.pods),
            priority=made.priority,
            at_seconds=made.at_s,
            until_seconds=made.until_s,
            nodes=tuple(PlanReservedNode(name=n, amounts=dict(kept)) for n, kept in made.nodes),
        )

    def meant(self) -> Reservation:
        """As the snapshot has it."""
        return Reservation(
            pods=tuple((pod.namespace, pod.name) for pod in self.pods),
            priority=self.priority,
            at_s=self.at_seconds,
            until_s=self.until_seconds,
            nodes=tuple((each.name, tuple(sorted(each.amounts.items()))) for each in self.nodes),
        )


class PlanTier(_Part):
    """One objective: what was reached, and what is proven to be out of reach."""

    name: str
    value: int
    bound: int
    gap: float
    status: Literal["Optimal", "Feasible"]


class Binding(_Part):
    """A pending pod, and the node that it goes to."""

    namespace: str
    name: str
    uid: str
    node: str
    pod_group: str | None = None


class Eviction(_Part):
    """A running pod that has to leave its node, for good or ``to`` another."""

    namespace: str
    name: str
    uid: str
    from_: str = Field(alias="from")
    to: str | None = None
    reason: Literal["Preempted", "Moved"]
    for_: str | None = Field(alias="for", default=None)


class Unplaced(_Part):
    """A pending pod that stays pending, and why."""

    namespace: str
    name: str
    uid: str
    pod_group: str | None = None
    reason: str = "Unschedulable"
    message: str = ""


class PlanPodGroup(_Part):
    """A pod group with members in the window.

    ``members`` are those that exist, ``placed`` those that have a place in the final state; running
    ones are among both.
    """

    namespace: str
    name: str
    min_count: int
    members: int
    placed: int
    status: GroupStatus
    message: str = ""


class PlanSeconds(_Part):
    """Where the time went."""

    load: float = 0.0
    compile: float = 0.0
    greedy: float = 0.0
    relax: float = 0.0
    search: float = 0.0
    verify: float = 0.0
    total: float = 0.0


class PlanSolver(_Part):
    """How it was solved."""

    seconds: PlanSeconds = PlanSeconds()
    classes: int = 0
    columns: int = 0
    rows: int = 0
    workers: int = 0
    seed: int = 0
    time_limit_seconds: float = 0.0


class Plan(_Part):
    """A plan, as its file says it."""

    api_version: Literal["batchsched.io/v1alpha1"] = API_VERSION
    kind: Literal["Plan"] = "Plan"
    snapshot: PlanSnapshot = PlanSnapshot()
    allowance: PlanAllowance = PlanAllowance()
    reservation: PlanReservation | None = None
    status: Literal["Optimal", "Feasible"]
    tiers: tuple[PlanTier, ...] = ()
    bindings: tuple[Binding, ...] = ()
    evictions: tuple[Eviction, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    pod_groups: tuple[PlanPodGroup, ...] = ()
    solver: PlanSolver = PlanSolver()

    def to_json(self) -> bytes:
        """The file: keys in the order of the contract, two spaces, a newline at the end."""
        content = self.model_dump(by_alias=True)
        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def tier(name: str, value: int, bound: int) -> PlanTier:
    """A tier, with the gap that value and bound leave: relative to the larger, 0 when they meet."""
    gap = abs(bound - value) / max(1, abs(bound), abs(value))
    return PlanTier(
        name=name,
        value=value,
        bound=bound,
        gap=round(gap, 9),
        status="Optimal" if value == bound else "Feasible",
    )


def status_of(tiers: tuple[PlanTier, ...]) -> Literal["Optimal", "Feasible"]:
    """Optimal when every tier of placed pods is, and disruption with the budgets before it."""
    lead = "placed/", "disruption"
    ranked = (t for t in tiers if t.name.startswith(lead) and t.name != "disruption/gangs")
    return "Optimal" if all(t.status == "Optimal" for t in ranked) else "Feasible"


def read_plan(content: bytes, source: str) -> Plan:
    """Read a plan's file.

    Raises:
        InputError: It is not JSON, or not a plan; says which field and what is wrong with it.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        what = f"not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        raise InputError(what, source=source) from None
    if not isinstance(document, dict) or document.get("kind") != "Plan":
        kind = document.get("kind") if isinstance(document, dict) else None
        what = f"not a plan, but {kind!r}" if kind else "not a plan: it has no kind"
        raise InputError(what, source=source, field="kind")
    try:
        # As JSON again, because a list in JSON is a tuple here, and strict is strict.
        return Plan.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            first["msg"], source=source, where="Plan", field=_path(document, first["loc"])
        ) from None


def _path(document: Any, loc: tuple[int | str, ...]) -> str:  # noqa: ANN401 -- any JSON value
    """The path of a field as people write it, with the pod's name where there is one."""
    path, at = "", document
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        at = at[part] if _has(at, part) else None
        if isinstance(part, int) and isinstance(at, dict) and at.get("namespace"):
            path += f" ({at['namespace']}/{at.get('name')})"
    return path


def _has(value: Any, part: int | str) -> bool:  # noqa: ANN401 -- any JSON value
    """Whether a JSON value has such an item."""
    if isinstance(part, int):
        return isinstance(value, list) and part < len(value)
    return isinstance(value, dict) and part in value
