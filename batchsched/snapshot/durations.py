"""Durations as people write them on pods: ``90``, ``90s``, ``15m``, ``1h30m``, ``2d``.

More lenient than configuration files, because whoever annotates a pod is told of no mistake.
"""

import re

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_UNITS_S |= {"m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)", re.ASCII)
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+", re.ASCII)
_PLAIN = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def seconds(text: str | float) -> float:
    """Read a duration; a plain number is seconds.

    Raises:
        ValueError: It is none, or negative.
    """
    written = str(text).strip()
    if _WHOLE.fullmatch(written):
        return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(written))
    if _PLAIN.fullmatch(written):
        return float(written)
    raise ValueError(f"{written!r} is no duration; write 90s, 15m or 1h30m")
