"""Profile: which rules, which tiers, in which order. The named composition of a model.

The rules of Kubernetes always hold; a profile adds rules of one's own and says what is better.
Plug-ins are found by the entry points ``batchsched.constraints`` and ``batchsched.objectives``: a
class (or a factory) that takes the parameters of the profile as keywords.
"""

from importlib.metadata import entry_points
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from batchsched.constraints import Constraint, default_constraints
from batchsched.objectives import Objective
from batchsched.objectives.cheapest_nodes import CheapestNodes
from batchsched.objectives.disruption import Disruption
from batchsched.objectives.fewest_nodes import FewestNodes
from batchsched.objectives.least_fragmentation import LeastFragmentation
from batchsched.objectives.placed import Placed
from batchsched.objectives.preferences import Preferences
from batchsched.objectives.spread_load import SpreadLoad
from batchsched.snapshot.errors import InputError

OBJECTIVES: dict[str, type[Any]] = {
    "preferences": Preferences,
    "packing/cheapest-nodes": CheapestNodes,
    "packing/fewest-nodes": FewestNodes,
    "packing/spread": SpreadLoad,
    "packing/least-fragmentation": LeastFragmentation,
}


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class Rule(_Strict):
    """A rule or an objective by the name it is registered under, with its parameters."""

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class Profile(_Strict):
    """A profile, as its file says it."""

    api_version: Literal["batchsched.io/v1alpha1"] = "batchsched.io/v1alpha1"
    kind: Literal["Profile"] = "Profile"
    name: str = "default"
    constraints: tuple[Rule, ...] = ()
    """Rules of one's own, beside those of Kubernetes."""
    objectives: tuple[Rule, ...] = (Rule(name="preferences"), Rule(name="packing/fewest-nodes"))
    """What comes after ``placed`` and ``disruption``, highest first."""


def named_profiles() -> dict[str, Profile]:
    """The profiles that need no file: ``default`` and one for each way of packing."""
    ways = ("spread", "least-fragmentation")
    profiles = [Profile()]
    for way in ways:
        tiers = (Rule(name="preferences"), Rule(name=f"packing/{way}"))
        profiles.append(Profile(name=way, objectives=tiers))
    profiles.append(Profile(name="placed-only", objectives=()))
    return {profile.name: profile for profile in profiles}


def default_profile() -> Profile:
    """The profile that is used when none is named."""
    return Profile()


def parse_profile(content: object, source: str) -> Profile:
    """Read a profile's parsed document.

    Raises:
        InputError: A field is unknown or has the wrong type, or a rule is not registered.
    """
    try:
        profile = Profile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise InputError(first["msg"], source=source, where="Profile", field=path) from None
    constraints_of(profile, source)
    objectives_of(profile, source)
    return profile


def constraints_of(profile: Profile, source: str | None = None) -> tuple[Constraint, ...]:
    """The rules of Kubernetes, then the profile's own.

    Raises:
        InputError: A rule is not registered, or does not take its parameters.
    """
    own = (_plug_in("batchsched.constraints", rule, source) for rule in profile.constraints)
    return (*default_constraints(), *own)


def objectives_of(profile: Profile, source: str | None = None) -> tuple[Objective, ...]:
    """The objectives of a profile, highest first; placed pods and disruption always lead.

    Raises:
        InputError: An objective is not registered, or does not take its parameters.
    """
    chosen = []
    for rule in profile.objectives:
        builtin = OBJECTIVES.get(rule.name)
        if builtin is not None:
            chosen.append(_make(builtin, rule, source))
        else:
            chosen.append(_plug_in("batchsched.objectives", rule, source))
    return (Placed(), Disruption(), *chosen)


def has_plug_ins(profile: Profile) -> bool:
    """Whether rules or objectives of one's own take part, which may read anything of a pod."""
    return bool(profile.constraints) or any(o.name not in OBJECTIVES for o in profile.objectives)


def _plug_in(group: str, rule: Rule, source: str | None) -> Any:  # noqa: ANN401 -- a plug-in
    found = [point for point in entry_points(group=group) if point.name == rule.name]
    if not found:
        known = sorted({point.name for point in entry_points(group=group)})
        if group == "batchsched.objectives":
            known = [*OBJECTIVES, *known]
        what = f"no {group.split('.')[1][:-1]} of the name {rule.name!r} is installed"
        raise InputError(f"{what}; known are: {', '.join(known) or 'none'}", source=source)
    return _make(found[0].load(), rule, source)


def _make(factory: Any, rule: Rule, source: str | None) -> Any:  # noqa: ANN401 -- a plug-in
    try:
        return factory(**rule.parameters)
    except TypeError as error:
        raise InputError(f"{rule.name}: {error}", source=source, field="parameters") from None
