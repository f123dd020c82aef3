"""The configuration of the daemon: ``kind: SchedulerConfiguration``, as its file says it.

The border to the file, in the vocabulary of KubeSchedulerConfiguration: pydantic, and strict, so
that a misspelt field is an error with its path and not a default in silence. It knows what the
fields are called and which of them contradict each other, and nothing of what is done with them.
"""

from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeAlias

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from batchsched.cycle import Timing
from batchsched.daemon import durations
from batchsched.profile import Profile, Rule, constraints_of, named_profiles, objectives_of
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.api import refuse
from batchsched.snapshot.errors import InputError, shortened
from batchsched.snapshot.refusals import input_error, path

API_VERSION: Literal["batchsched.io/v1alpha1"] = "batchsched.io/v1alpha1"
KIND: Literal["SchedulerConfiguration"] = "SchedulerConfiguration"
PORT_MAX = 65535
RETRY_JITTER = 1.2
"""A lease is retried after up to so many retry periods, as client-go does."""


def _duration(value: object) -> float:
    try:
        return durations.seconds(value)
    except ValueError as error:
        refuse(str(error))


def _address(value: object) -> str:
    """``host:port``, or nothing."""
    host, colon, port = str(value).rpartition(":")
    bare = ":" in host and not (host.startswith("[") and host.endswith("]"))
    told = colon and port.isdecimal() and int(port) <= PORT_MAX and not bare
    if value != "" and not told:  # the empty one stands for none
        refuse(f'"{shortened(str(value))}" is no host:port; write 0.0.0.0:10251, or "" for none')
    return str(value)


_DURATION_SCHEMA = {"type": "string", "pattern": durations.PATTERN}
Duration: TypeAlias = Annotated[float, BeforeValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
Address: TypeAlias = Annotated[str, BeforeValidator(_address)]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


def _after(text: str) -> Any:  # noqa: ANN401 -- what pydantic makes a field of
    """A duration as a default, written as in the file."""
    return Field(default=text, validate_default=True)


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True
    )


class LeaderElection(_Strict):
    """Which of several replicas decides: who holds the Lease."""

    leader_elect: bool = True
    lease_duration: Duration = _after("15s")
    """How long others wait for a leader that does not renew."""
    renew_deadline: Duration = _after("10s")
    """How long a leader goes on that cannot renew."""
    retry_period: Duration = _after("2s")
    """How often the lease is renewed, or tried."""
    resource_namespace: str = ""
    """Where the Lease is; empty means the namespace of the process's own pod, else kube-system."""
    resource_name: Name = "batchsched"

    @model_validator(mode="after")
    def _in_order(self) -> "LeaderElection":
        if not self.lease_duration.is_integer():
            refuse("leaseDuration must be whole seconds: the Lease has no others")
        if not self.lease_duration > self.renew_deadline:
            refuse("leaseDuration must be longer than renewDeadline, or two could lead at once")
        if not self.renew_deadline > RETRY_JITTER * self.retry_period:
            refuse("renewDeadline must be longer than 1.2 times retryPeriod")
        if not self.retry_period > 0:
            refuse("retryPeriod must be more than 0")
        return self


class ClientConnection(_Strict):
    """How the API server is reached."""

    kubeconfig: str = ""
    """Empty: as kubectl finds it, else the service account of the process's own pod."""
    in_flight: Annotated[int, Field(ge=1, le=256)] = 16
    """How many writes are under way at once."""


class WindowSettings(_Strict):
    """When a window closes."""

    idle: Duration = _after("500ms")
    max: Duration = _after("5s")
    max_pods: Annotated[int, Field(ge=1, le=1_000_000)] = Timing().window_pods_max


class SolveSettings(_Strict):
    """The limits of a window's solve."""

    time_limit: Duration = _after("10s")
    polish_time_limit: Duration = _after("500ms")
    """What preferences and packing may take of it, when it is known who is placed."""
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    """0: all cores."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @model_validator(mode="after")
    def _some_time(self) -> "SolveSettings":
        if not self.time_limit > 0:
            refuse("timeLimit must be more than 0")
        return self


class GangSettings(_Strict):
    """What becomes of a gang that was bound in part."""

    complete_within: Duration = _after("60s")
    on_partial: Literal["Release", "Complete"] = "Release"


class AgeingSettings(_Strict):
    """Who has waited so long that room is kept for them."""

    after_windows: Annotated[int, Field(ge=0, le=1_000_000)] = Timing().ageing_windows
    """How many windows pass somebody over before; 0: room is kept for nobody."""


class SchedulerProfile(_Strict):
    """One scheduler, as pods name it, and how its pods are placed."""

    scheduler_name: Name = "batchsched"
    profile: str | None = None
    """The name of a built-in profile; ``default`` where nothing is said."""
    constraints: Annotated[tuple[Rule, ...] | None, Field(strict=False)] = None
    """Rules of one's own, as in a Profile file."""
    objectives: Annotated[tuple[Rule, ...] | None, Field(strict=False)] = None
    """Tiers, as in a Profile file."""
    preemption: Literal["Never", "LowerPriority"] = "Never"

    @model_validator(mode="after")
    def _known(self) -> "SchedulerProfile":
        inline = self.constraints is not None or self.objectives is not None
        if self.profile is not None and inline:
            refuse("names a profile and has constraints or objectives as well; remove one of them")
        if self.profile is not None and self.profile not in named_profiles():
            known = ", ".join(named_profiles())
            refuse(f'"{shortened(self.profile)}" is no profile; built in are: {known}')
        return self

    @property
    def allowance(self) -> Allowance:
        """What plans may do to running pods."""
        return Allowance(preemption=self.preemption == "LowerPriority")

    def rules(self) -> Profile:
        """The profile that is meant."""
        if self.constraints is None and self.objectives is None:
            return named_profiles()[self.profile or "default"]
        rules = Profile(name=self.scheduler_name, constraints=self.constraints or ())
        if self.objectives is None:
            return rules
        return rules.model_copy(update={"objectives": self.objectives})


class Logging(_Strict):
    """What is written to standard error."""

    format: Literal["json", "text"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class SchedulerConfiguration(_Strict):
    """The configuration of ``batchsched run``."""

    api_version: Literal["batchsched.io/v1alpha1"] = API_VERSION
    kind: Literal["SchedulerConfiguration"] = KIND
    leader_election: LeaderElection = LeaderElection()
    client_connection: ClientConnection = ClientConnection()
    healthz_bind_address: Address = "0.0.0.0:10251"
    metrics_bind_address: Address = "0.0.0.0:10251"
    """The same address as above: one server for both."""
    window: WindowSettings = WindowSettings()
    solve: SolveSettings = SolveSettings()
    pod_initial_backoff_seconds: Annotated[int, Field(ge=1, le=86_400)] = 1
    pod_max_backoff_seconds: Annotated[int, Field(ge=1, le=86_400)] = 300
    gang: GangSettings = GangSettings()
    ageing: AgeingSettings = AgeingSettings()
    profiles: Annotated[tuple[SchedulerProfile, ...], Field(min_length=1, strict=False)] = (
        SchedulerProfile(),
    )
    logging: Logging = Logging()

    @model_validator(mode="after")
    def _consistent(self) -> "SchedulerConfiguration":
        names = [profile.scheduler_name for profile in self.profiles]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            refuse(f"profiles: {twice[0]} is there twice; give each profile its own schedulerName")
        if self.window.idle > self.window.max:
            refuse("window: idle is longer than max; a window would never close for being idle")
        if self.pod_initial_backoff_seconds > self.pod_max_backoff_seconds:
            refuse("podInitialBackoffSeconds is more than podMaxBackoffSeconds")
        return self

    @property
    def scheduler_names(self) -> tuple[str, ...]:
        """Whose pods are ours, sorted."""
        return tuple(sorted(profile.scheduler_name for profile in self.profiles))

    def timing(self) -> Timing:
        """The limits of the cycle."""
        return Timing(
            window_idle_s=self.window.idle,
            window_max_s=self.window.max,
            window_pods_max=self.window.max_pods,
            backoff_first_s=float(self.pod_initial_backoff_seconds),
            backoff_max_s=float(self.pod_max_backoff_seconds),
            gang_complete_within_s=self.gang.complete_within,
            gang_release=self.gang.on_partial == "Release",
            ageing_windows=self.ageing.after_windows,
        )


_SECTIONS: dict[str, type[BaseModel]] = {
    "leaderElection": LeaderElection,
    "clientConnection": ClientConnection,
    "window": WindowSettings,
    "solve": SolveSettings,
    "gang": GangSettings,
    "ageing": AgeingSettings,
    "profiles": SchedulerProfile,
    "constraints": Rule,
    "objectives": Rule,
    "logging": Logging,
}

_PLAIN = {
    "missing": "is missing; write it, or leave out what it belongs to",
    "too_short": "is empty; list at least one, or leave the field out",
    "tuple_type": "must be a list",
}


def parse_configuration(content: bytes, source: str) -> SchedulerConfiguration:
    """Read a configuration, YAML or JSON.

    Raises:
        InputError: It is none; says which field, what is wrong with it and what to write.
    """
    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"is not YAML: {str(error).splitlines()[0]}", source=source) from None
    if not isinstance(document, dict):
        raise InputError(f"holds no object; it starts with `kind: {KIND}`", source=source)
    for field, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if document.get(field) != wanted:
            found = document.get(field)
            said = "is missing" if found is None else f'is "{shortened(str(found))}"'
            raise InputError(f"{said}; write {field}: {wanted}", source=source, field=field)
    try:
        configuration = SchedulerConfiguration.model_validate(document)
    except ValidationError as error:
        raise _refused(error, source) from None
    for at, profile in enumerate(configuration.profiles):
        place = f"{source}: {KIND}: profiles[{at}]"
        constraints_of(profile.rules(), place)  # see that they are installed, and take what is said
        objectives_of(profile.rules(), place)
    return configuration


def _refused(error: ValidationError, source: str) -> InputError:
    """The first refusal, as one line."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "extra_forbidden":
        what = _unknown(first)
    else:
        what = _PLAIN.get(first["type"]) or input_error(error).what
    return InputError(what, source=source, where=KIND, field=path(first["loc"]))


def _unknown(first: ErrorDetails) -> str:
    """Say which fields there are instead of one that is not."""
    sections = [part for part in first["loc"][:-1] if isinstance(part, str)]
    model = _SECTIONS[sections[-1]] if sections else SchedulerConfiguration
    known = [info.alias or name for name, info in model.model_fields.items()]
    close = get_close_matches(str(first["loc"][-1]), known, n=1)
    if close:
        return f"is no field; did you mean {close[0]}?"
    return f"is no field; there are: {', '.join(sorted(known))}"
