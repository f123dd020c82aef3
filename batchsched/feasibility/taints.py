"""Taints and tolerations: who may go where, and who would rather not (TaintToleration)."""

from batchsched.snapshot.labels import integer
from batchsched.snapshot.node import Taint
from batchsched.snapshot.pod import NO_EXECUTE, NO_SCHEDULE, Toleration

KEEP_OUT = frozenset({NO_SCHEDULE, NO_EXECUTE})
"""The effects that keep pods out."""


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether one toleration tolerates one taint.

    An empty key or effect stands for every one; ``Gt`` and ``Lt`` compare plain decimal integers.
    """
    if toleration.effect not in {"", taint.effect} or toleration.key not in {"", taint.key}:
        return False
    match toleration.operator:
        case "" | "Equal":
            return toleration.value == taint.value
        case "Exists":
            return True
        case _:
            limit, value = _plain_integer(toleration.value), _plain_integer(taint.value)
            if limit is None or value is None:
                return False
            return value > limit if toleration.operator == "Gt" else value < limit


def _plain_integer(text: str) -> int | None:
    """An integer as people write it: no plus sign, no leading zeros."""
    value = integer(text)
    return value if value is not None and str(value) == text else None


def intolerable(
    tolerations: tuple[Toleration, ...], taints: tuple[Taint, ...], effects: frozenset[str]
) -> int:
    """How many taints of these effects no toleration tolerates."""
    return sum(
        taint.effect in effects and not any(tolerates(t, taint) for t in tolerations)
        for taint in taints
    )
