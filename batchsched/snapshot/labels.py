"""Labels and the selectors over them, with Kubernetes' exact meaning of nil and empty.

A selector that is *absent* is ``None`` and selects nothing; a selector that is *empty* has no
requirements and selects everything. Node selectors add ``Gt`` and ``Lt`` and fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Labels: TypeAlias = Mapping[str, str]
Pairs: TypeAlias = tuple[tuple[str, str], ...]

IN, NOT_IN, EXISTS, DOES_NOT_EXIST, GT, LT = "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """One expression over one key; ``values`` is sorted and without repeats."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class LabelSelector:
    """A conjunction of requirements (``matchLabels`` are requirements with ``In``)."""

    requirements: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class NodeSelectorTerm:
    """A conjunction over node labels and ``metadata.name``; an empty term matches nothing."""

    expressions: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()


def integer(text: str) -> int | None:
    """Parse as Go's ``strconv.ParseInt(text, 10, 64)`` does, or ``None``."""
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if not (digits.isascii() and digits.isdigit()):
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


def satisfies(requirement: Requirement, labels: Labels) -> bool:
    """Whether the labels satisfy one requirement (``labels.Requirement.Matches``)."""
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return value is not None and _compares(requirement, value)


def _compares(requirement: Requirement, text: str) -> bool:
    """``Gt`` and ``Lt``: both sides must be integers, else nothing matches."""
    if len(requirement.values) != 1:
        return False
    value, limit = integer(text), integer(requirement.values[0])
    if value is None or limit is None:
        return False
    return value > limit if requirement.operator == GT else value < limit


def selects(selector: LabelSelector | None, labels: Labels) -> bool:
    """Whether a label selector matches; ``None`` matches nothing, an empty one everything."""
    if selector is None:
        return False
    return all(satisfies(requirement, labels) for requirement in selector.requirements)
