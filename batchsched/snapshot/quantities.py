"""Kubernetes quantities, exactly: text or number to an integer of billionths (nano).

The API server keeps quantities to nine decimal places, rounding up, and caps them at 2^63-1 units;
kube-scheduler adds them as they are and rounds the sum up, once, to milli-cores or to whole units.
So everything here stays in integer nanos until ``amount`` makes the scheduler's integer of a sum.
Nothing here may use floats, and nothing here knows what a container is.
"""

import math
import re
from functools import lru_cache

from batchsched.snapshot.errors import shortened

NANO = 10**9
UNITS_MAX = 2**63 - 1
NANO_MAX = UNITS_MAX * NANO
_DIGITS_MAX = 60
"""Significant digits that can still matter: 19 before the point, 9 after, and room for ``Ei``."""
AMOUNT_MAX = 2**50
"""Of one resource, what is counted up to: 1 PiB, or 10**12 cores. A pod that asks for more asks for
this much, and no node has quite as much, so it fits nowhere. It leaves sums over nodes and products
with per mille (FORMULATION §O5) inside 64 bits."""

_FORM = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[+-]?[0-9]*)", re.ASCII)
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)", re.ASCII)
_DECIMAL = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


class QuantityError(ValueError):
    """Not a quantity; the message says why, without naming the field."""


def nano(value: object) -> int:
    """Billionths of a unit that a quantity as found in JSON or YAML stands for.

    ``null`` is zero, as in Go; numbers are read as their shortest text.

    Raises:
        QuantityError: if the API server would refuse to parse it.
    """
    if isinstance(value, str):
        return _parse(value)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise QuantityError("must be a quantity such as 500m or 2Gi")
    if not math.isfinite(value) or abs(value) >= 10**40:
        raise QuantityError(f"{value} is not a quantity; write a number such as 500m or 2Gi")
    return _parse(repr(value))


def amount(resource: str, nanos: int) -> int:
    """What kube-scheduler counts: milli-cores for cpu, whole units for all else, rounded up."""
    step = NANO // 1000 if resource == "cpu" else NANO
    return min(-(-nanos // step), UNITS_MAX)


@lru_cache(maxsize=65536)
def _parse(text: str) -> int:
    """Read one quantity as ``resource.ParseQuantity`` does."""
    form = _FORM.fullmatch(text) if text else None
    if form is None:
        raise QuantityError(_refusal(text))
    sign, whole, fraction, suffix = form.groups()
    tens, twos = _powers(suffix, text)
    fraction = (fraction or "").rstrip("0")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return 0
    value = _scaled(digits, tens - len(fraction), twos)
    return -value if sign == "-" else value


def _powers(suffix: str, text: str) -> tuple[int, int]:
    """The powers of ten and of two that a suffix stands for."""
    if suffix in _DECIMAL:
        return _DECIMAL[suffix], 0
    if suffix in _BINARY:
        return 0, _BINARY[suffix]
    exponent = _EXPONENT.fullmatch(suffix)
    if exponent is None:
        raise QuantityError(_refusal(text))
    sign, number = exponent[1].startswith("-"), exponent[1].lstrip("+-").lstrip("0")
    size = int(number[:7] or "0")  # longer ones are out of reach as well: ``_scaled`` sees to it
    return (-size if sign else size), 0


def _scaled(digits: str, tens: int, twos: int) -> int:
    """``digits * 10**tens * 2**twos`` in nanos, rounded up, capped; cheap for absurd exponents."""
    if len(digits) > _DIGITS_MAX:
        sticky = any(digit != "0" for digit in digits[_DIGITS_MAX:])
        tens += len(digits) - _DIGITS_MAX
        mantissa = int(digits[:_DIGITS_MAX]) + sticky
    else:
        mantissa = int(digits)
    order = len(str(mantissa)) + tens
    if order > 2 * _DIGITS_MAX:
        return NANO_MAX
    if order < -2 * _DIGITS_MAX:
        return 1
    tens += 9
    mantissa <<= twos
    value = mantissa * _ten_to(tens) if tens >= 0 else -(-mantissa // _ten_to(-tens))
    return min(value, NANO_MAX)


def _ten_to(power: int) -> int:
    """A power of ten, as an integer (``**`` may be a float for all that the types know)."""
    value: int = 10**power
    return value


def _refusal(text: str) -> str:
    """Say what is wrong with a text that is no quantity."""
    if not text:
        return "is empty; write a quantity such as 500m or 2Gi, or leave the key out"
    suffixes = "n u m k M G T P E Ki Mi Gi Ti Pi Ei"
    return f'"{shortened(text)}" is not a quantity; write a number with one of {suffixes}'
