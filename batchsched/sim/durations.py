"""Durations as people read them in reports and on terminals."""


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
