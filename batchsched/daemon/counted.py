"""A cluster whose answers are told to somebody as well: to count and to log them.

The loop itself neither counts nor logs; whoever wants to know what was written stands in between.
"""

from collections.abc import Callable, Sequence

from batchsched.daemon.ports import Answer, Change, Cluster, Write
from batchsched.snapshot.snapshot import Snapshot


class CountedCluster:
    """The same cluster, and every answer of it goes to ``tell`` too.

    Args:
        cluster: The cluster.
        tell: Called with each answer, before the loop has it.
    """

    def __init__(self, cluster: Cluster, tell: Callable[[Answer], None]) -> None:
        """Stand in between."""
        self._cluster, self._tell = cluster, tell

    def snapshot(self) -> Snapshot:
        """As the cluster."""
        return self._cluster.snapshot()

    def changes(self) -> Sequence[Change]:
        """As the cluster."""
        return self._cluster.changes()

    def free(self) -> int:
        """As the cluster."""
        return self._cluster.free()

    def begin(self, write: Write) -> None:
        """As the cluster."""
        self._cluster.begin(write)

    def answers(self) -> Sequence[Answer]:
        """As the cluster, and tell of each."""
        found = self._cluster.answers()
        for answer in found:
            self._tell(answer)
        return found
