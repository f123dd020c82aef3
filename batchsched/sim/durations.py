"""Durations as people write them in workloads: ``90``, ``90s``, ``15m``, ``1h30m``, ``2d``."""

import re

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")


def seconds(text: str | float) -> float:
    """Read a duration; a plain number is seconds.

    Raises:
        ValueError: It is none, or negative.
    """
    written = str(text).strip()
    if _WHOLE.fullmatch(written):
        return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(written))
    if re.fullmatch(r"\d+(?:\.\d+)?", written):
        return float(written)
    raise ValueError(f"{written!r} is no duration; write 90s, 15m or 1h30m")


def written(duration_s: float) -> str:
    """Write a duration as people do, to the second: ``1h 02m``, ``3m 05s``, ``9s``, ``< 1s``."""
    if 0 < duration_s < 1:
        return "< 1s"
    whole = round(duration_s)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days}d {hours:02}h"
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {left:02}s" if minutes else f"{left}s"
