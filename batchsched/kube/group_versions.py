"""Which version of each pod group API is served: asked for when a status is to be written.

A CRD may come, or change its version, while we run; so an answer is good for some minutes only.
"""

from batchsched.daemon.ports import Clock
from batchsched.kube.connection import Connection
from batchsched.kube.discovery import RESOURCES, served

GOOD_FOR_S = 300.0


class GroupVersions:
    """Group to version; may be asked by several threads, which then may ask the server twice."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        """Know nothing yet."""
        self._connection, self._clock = connection, clock
        self._known: dict[str, tuple[float, str | None]] = {}

    def __call__(self, api: str) -> str | None:
        """Give the version in which pod groups of an API are served, None where they are not.

        Raises:
            ClusterError: The server cannot say.
        """
        until_s, version = self._known.get(api, (float("-inf"), None))
        if self._clock.now_s() >= until_s:
            found = [r for r in RESOURCES if r.kind == (api, "PodGroup")]
            place = served(self._connection, found[0]) if found else None
            version = place.version if place is not None else None
            self._known[api] = (self._clock.now_s() + GOOD_FOR_S, version)
        return version
