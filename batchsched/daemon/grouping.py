"""Which pods belong together, asked pod by pod as a watch shows them, and of all for a snapshot.

The reading of the dialects is ``snapshot.groups``; this only remembers, because a trace asks a
million times and the answer is the same for all pods of one controller.
"""

from collections.abc import Sequence

from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.groups import Declared, Key, group_made, groups, key_of_group
from batchsched.snapshot.pod import Pod

PodKey = tuple[str, str]


class Grouping:
    """The groups of a cluster; tell it when what declares groups changed."""

    def __init__(self, declared: Declared | None = None) -> None:
        """Start with what was declared."""
        self.declared = declared or Declared()
        self._known: dict[object, PodGroup] = {}
        self._tied = False
        """Whether some gang has named others, or is in a composite."""
        self._members: dict[Key, tuple[dict[PodKey, Pod], dict[PodKey, Pod]]] = {}
        """Of each gang those that live, and those that ended."""

    def changed(self) -> None:
        """A PodGroup or a Job came or went."""
        self._known.clear()

    def note(self, old: Pod | None, new: Pod | None) -> None:
        """Take in a change: members that ended count for those that come after them."""
        pod = new or old
        key = key_of_group(pod, self.declared) if pod is not None else None
        if pod is None or key is None:
            return
        living, ended = self._members.setdefault(key, ({}, {}))
        living.pop(pod.key, None)
        ended.pop(pod.key, None)
        if new is not None:
            (ended if new.terminal else living)[pod.key] = new
        elif not living and not ended:
            del self._members[key]

    def over(self, pod: Pod) -> tuple[Pod, ...]:
        """Who counts for nobody any more now that a pod ended: with the last of a gang, all."""
        key = key_of_group(pod, self.declared)
        if key is None:
            return (pod,)
        living, ended = self._members.get(key, ({}, {pod.key: pod}))
        mine = [ended[name] for name in sorted(ended) if ended[name].owner is None]
        return () if living else tuple(mine)

    def of(self, pod: Pod) -> PodGroup | None:
        """The group that a pod belongs to, None for most pods."""
        if not (pod.labels or pod.annotations or pod.spec.pod_group):
            return None
        group = key_of_group(pod, self.declared)
        if group is None:
            return None
        living, ended = self._members.get(group, ({}, {}))
        if ended:
            members = list({**ended, **living, pod.key: pod}.values())
            return self._in_union(group_made(group, members, self.declared))
        owner = pod.owner.name if pod.owner is not None else None
        key = (pod.namespace, pod.labels, pod.annotations, pod.spec.pod_group, owner)
        if key not in self._known:
            self._known[key] = group_made(group, [pod], self.declared)
        return self._in_union(self._known[key])

    def _in_union(self, group: PodGroup) -> PodGroup:
        """A group as it is among all others, where some start only together."""
        if group.ties or group.parent:
            self._tied = True
        if not self._tied:
            return group
        pods = [pod for both in self._members.values() for some in both for pod in some.values()]
        made, _ = groups(pods, self.declared)
        return next((each for each in made if each.key == group.key), group)

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
