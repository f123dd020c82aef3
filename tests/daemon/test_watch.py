"""What the cycle is told of a change that watches show."""

from dataclasses import replace

from batchsched.cycle import PodHeld, PodPending
from batchsched.daemon.ports import PodChange
from batchsched.daemon.watch import events_of
from batchsched.snapshot.group import PodGroup
from tests.builders import make_pod

GANG = PodGroup("batch", "default", "gang", min_count=2)


def test_of_a_gang_that_needs_fewer_all_members_are_told_of_again() -> None:
    """A Job says how many succeeded after its pods did; else the gang looks half-started."""
    runs, waits = make_pod("r", node="n1"), make_pod("p")
    assert list(events_of(PodChange(runs, runs, GANG), ())) == [PodHeld(runs.key, runs.uid, GANG)]
    assert list(events_of(PodChange(waits, waits, GANG), ())) == [PodPending(waits, GANG)]
    started = replace(runs, phase="Running", started="2026-01-01T00:00:00Z")
    assert list(events_of(PodChange(replace(runs, phase="Pending"), started, GANG), ())) == []
