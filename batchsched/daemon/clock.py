"""The clocks of the process: one that decides, and one that people read.

The first never goes back and is all that any decision is made by. The wall clock may jump, so it is
only ever written down, in logs, in the Lease, in events, or compared with what others wrote: when a
pod was created, and when it started.
"""

import time
from datetime import UTC, datetime


class SystemClock:
    """The clocks of the machine."""

    def now_s(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def wall_s(self) -> float:
        """Seconds since 1970, for people."""
        return time.time()  # noqa: TID251 -- the one place where the wall clock is read

    def wall(self) -> str:
        """The time as Kubernetes writes it where it counts microseconds."""
        moment = datetime.fromtimestamp(self.wall_s(), UTC)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
