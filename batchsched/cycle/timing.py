"""The limits of the cycle, with their units in their names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """When a window closes, how long a pod rests, how long a gang may be half-started."""

    window_idle_s: float = 0.5
    """A window closes when its queue was quiet for so long: a controller creates the pods of a Job
    within a fraction of it."""
    window_max_s: float = 5.0
    """... or so long after its first pod, however busy the queue is."""
    window_pods_max: int = 20_000
    """... or at so many pods: the largest window whose solve was measured."""
    backoff_first_s: float = 1.0
    """An unplaced pod rests so long, twice as long each further time, unless something changes."""
    backoff_max_s: float = 300.0
    """... up to so long, as kube-scheduler does with unschedulable pods."""
    gang_complete_within_s: float = 60.0
    """How long a gang may be half-started before its members that do not run yet are deleted."""
    gang_release: bool = True
    """Whether they are deleted at all (``onPartial: Release``), or waited for (``Complete``)."""
    victims_leave_within_s: float = 120.0
    """How long a node is kept for pods whose victims are leaving: four times the usual grace."""
    ageing_windows: int = 0
    """Whoever was passed over in so many windows is overdue: room is kept for the first of them. 0:
    nobody ever is, because what it costs depends on ends that only the pods can tell."""
    overdue_max: int = 8
    """How many of those are named to a solve: the first may fit nowhere, whoever leaves."""
    story_entries_max: int = 40
    """What is remembered of one pod..."""
    story_pods_max: int = 50_000
    """... and of how many pods."""

    def backoff_s(self, attempts: int) -> float:
        """How long a pod rests after so many attempts (at least one)."""
        return min(self.backoff_first_s * 2.0 ** min(attempts - 1, 60), self.backoff_max_s)
