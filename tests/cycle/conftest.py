"""A cycle under test: its invariants are checked after each event, and once more at the end."""

from collections.abc import Iterator

import pytest

from batchsched.cycle import Cycle, Event, Instruction, Timing
from batchsched.snapshot.group import PodGroup


class Watched(Cycle):
    """A cycle that validates itself after every event."""

    def handle(self, event: Event, now_s: float) -> list[Instruction]:
        """Answer, then assert the invariants."""
        answer = super().handle(event, now_s)
        self.validate()
        return answer


@pytest.fixture
def cycle() -> Iterator[Watched]:
    """A leading cycle with the default limits."""
    watched = Watched(Timing())
    yield watched
    watched.validate()


@pytest.fixture
def gang() -> PodGroup:
    """A gang of at least two."""
    return PodGroup("scheduling.x-k8s.io", "default", "gang", min_count=2)
