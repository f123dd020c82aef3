"""Pod groups: the gangs, whatever API they came from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PodGroup:
    """One gang.

    ``api`` names the dialect it came from (``scheduling.k8s.io``, ``scheduling.x-k8s.io``,
    ``scheduling.volcano.sh``, ``batchsched.io``; for gangs of owners their API group, ``batch`` or
    ``jobset.x-k8s.io``); with the namespace and the name it is the identity. ``min_count`` 0 means
    that members may be placed one by one. ``problem`` says why the group cannot be scheduled
    whatever the room (it does not exist, its members contradict each other), or is ``None``.
    """

    api: str
    namespace: str
    name: str
    min_count: int = 0
    required_topology: str | None = None
    preferred_topology: str | None = None
    problem: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """``(namespace, name, api)``: identity and order."""
        return (self.namespace, self.name, self.api)
