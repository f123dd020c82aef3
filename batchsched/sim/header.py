"""The header of a workload: ``kind: Simulation``, how long, when windows close, what arrives again.

The border to files: pydantic, strict about names, so that a misspelt field is an error.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from batchsched.cycle import Timing
from batchsched.snapshot.durations import seconds
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.objects import Item

API_VERSION = "batchsched.io/v1alpha1"


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


Seconds = Annotated[float, BeforeValidator(seconds)]
Moment = Annotated[datetime, AfterValidator(_aware)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class WindowModel(_Strict):
    """When windows close; as ``cycle.Timing``."""

    idle: Seconds = Timing().window_idle_s
    max: Seconds = Timing().window_max_s
    pods: Annotated[int, Field(ge=1)] = Timing().window_pods_max

    def timing(self) -> Timing:
        """The limits of the cycle."""
        return Timing(window_idle_s=self.idle, window_max_s=self.max, window_pods_max=self.pods)


class ArrivalModel(_Strict):
    """An object of the workload that arrives again and again, under numbered names."""

    object: Annotated[str, Field(pattern=r"^(Job|Pod)/[^/]+(/[^/]+)?$")]
    """``Job/name``, or ``Job/namespace/name``."""
    first: Seconds = 0.0
    every: Annotated[float, BeforeValidator(seconds), Field(gt=0)]
    count: Annotated[int, Field(ge=1, le=1_000_000)]
    spread: Literal["even", "poisson"] = "even"
    """Whether ``every`` is exact, or a mean of random gaps (drawn from the seed)."""

    @property
    def key(self) -> tuple[str, str, str]:
        """``(kind, namespace, name)``."""
        kind, *rest = self.object.split("/")
        return (kind, rest[0] if len(rest) > 1 else "default", rest[-1])


class SpecModel(_Strict):
    """``spec`` of a Simulation."""

    start: Moment = datetime(2026, 1, 5, tzinfo=UTC)
    """The date and time at which it begins; CronJobs follow it."""
    duration: Seconds = 3600.0
    window: WindowModel = Field(default_factory=WindowModel)
    arrivals: list[ArrivalModel] = Field(default_factory=list)
    policies: list[Literal["solver", "least-allocated", "most-allocated", "best-fit"]] = Field(
        default_factory=list
    )
    """Which to run where the command names none; the first is printed window by window."""


class SimulationModel(BaseModel):
    """A Simulation."""

    metadata: dict[str, Any] = Field(default_factory=dict)
    spec: SpecModel = Field(default_factory=SpecModel)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.metadata.get("name") or "simulation")


def header(found: list[Item]) -> SimulationModel:
    """The one Simulation of a workload, or the default where there is none.

    Raises:
        InputError: There are several, or a field is wrong.
    """
    if not found:
        return SimulationModel()
    if len(found) > 1:
        what = f"the workload has {len(found)} of kind Simulation; leave one"
        raise InputError(what, source=found[1].source, where=found[1].where)
    item = found[0]
    try:
        return SimulationModel.model_validate(
            {key: value for key, value in item.raw.items() if key in {"metadata", "spec"}}
        )
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise InputError(first["msg"], source=item.source, where=item.where, field=path) from None
