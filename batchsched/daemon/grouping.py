"""Which pods belong together, asked pod by pod as a watch shows them, and of all for a snapshot.

The reading of the dialects is ``snapshot.groups``; this only remembers, because a trace asks a
million times and the answer is the same for all pods of one controller.
"""

from collections.abc import Sequence

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.groups import Declared, groups
from batchsched.snapshot.pod import Pod


class Grouping:
    """The groups of a cluster; tell it when what declares groups changed."""

    def __init__(self, declared: Declared | None = None) -> None:
        """Start with what was declared."""
        self.declared = declared or Declared()
        self._known: dict[object, PodGroup | None] = {}

    def changed(self) -> None:
        """A PodGroup or a Job came or went."""
        self._known.clear()

    def of(self, pod: Pod) -> PodGroup | None:
        """The group that a pod belongs to, None for most pods."""
        if not (pod.labels or pod.annotations or pod.spec.pod_group):
            return None
        owner = pod.owner.name if pod.owner is not None else None
        key = (pod.namespace, pod.labels, pod.annotations, pod.spec.pod_group, owner)
        if key not in self._known:
            made, index = groups([pod], self.declared)
            self._known[key] = made[index[0][1]] if index else None
        return self._known[key]

    def of_all(
        self, pods: Sequence[Pod]
    ) -> tuple[tuple[PodGroup, ...], tuple[tuple[tuple[str, str], int], ...]]:
        """All groups, and who belongs to them, as a snapshot holds it."""
        if (
            self.declared.groups
            or self.declared.jobs
            or any(p.annotations or p.labels for p in pods)
        ):
            return groups(pods, self.declared)
        return (), ()
