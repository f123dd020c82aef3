"""Pod groups: the gangs, whatever API they came from, and the composites that some are in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PodGroup:
    """One gang.

    ``api`` names the dialect it came from (``scheduling.k8s.io``, ``scheduling.volcano.sh``,
    ``batchsched.io``; for gangs of owners their API group, ``batch`` or ``jobset.x-k8s.io``); with
    the namespace and the name it is the identity. ``min_count`` 0 means that members may be placed
    one by one. ``problem`` says why the group cannot be scheduled whatever the room (it does not
    exist, its members contradict each other), or is ``None``. ``priority`` is that of all members,
    where the group has one. Of a group that ``goes_whole`` nobody may be evicted alone. Where
    ``slice_topology`` is set, members come in slices of ``slice_size``, each in one domain of it.
    ``parts`` are the minimums of kinds of members, by name; ``min_count`` is never less than their
    sum.
    """

    api: str
    namespace: str
    name: str
    min_count: int = 0
    required_topology: str | None = None
    preferred_topology: str | None = None
    problem: str | None = None
    priority: int | None = None
    preemption_never: bool = False
    goes_whole: bool = False
    slice_topology: str | None = None
    slice_size: int = 0
    parts: tuple[tuple[str, int], ...] = ()
    ties: tuple[str, ...] = ()
    """``namespace/name`` of the groups that it says it starts together with."""
    union: tuple[tuple[str, str, str], ...] = ()
    """The keys of all groups that start together with it, itself among them, if there are more."""
    union_count: int = 0
    """The minimums of these groups, together."""
    parent: str | None = None
    """The CompositePodGroup that it is in, of the same namespace."""

    @property
    def key(self) -> tuple[str, str, str]:
        """``(namespace, name, api)``: identity and order."""
        return (self.namespace, self.name, self.api)

    @property
    def unit(self) -> tuple[str, str, str]:
        """Who is bound in one go: the group, or its union by the name of the first of it."""
        return self.union[0] if self.union else self.key

    @property
    def unit_count(self) -> int:
        """How many pods of the unit there have to be at least."""
        return self.union_count if self.union else self.min_count


@dataclass(frozen=True, slots=True)
class CompositePodGroup:
    """A group of groups: those PodGroups, and those composites, that name it as their parent.

    ``min_count`` is how many of them start if any does; 0 lets each come by itself. The rest is as
    in ``PodGroup``, for all pods below it.
    """

    namespace: str
    name: str
    min_count: int = 0
    parent: str | None = None
    required_topology: str | None = None
    priority: int | None = None
    preemption_never: bool = False
    goes_whole: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """``(namespace, name)``: identity and order."""
        return (self.namespace, self.name)
