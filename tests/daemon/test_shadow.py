"""Shadow mode: nothing is written, and what would have been is compared with what was."""

from collections.abc import Sequence

from batchsched.cycle import Binding
from batchsched.daemon.ports import (
    Answer,
    BindWrite,
    Change,
    DeleteWrite,
    EvictWrite,
    PodChange,
    Write,
)
from batchsched.daemon.shadow import REFUSAL, ShadowCluster, Tally
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot
from batchsched.testing.builders import make_node, make_pod, snapshot_of

GANG = PodGroup("batchsched.io", "default", "g", 2)
PODS = [make_pod(name) for name in ("a", "b", "g0", "g1")]
CLUSTER = snapshot_of(make_node("n1"), *PODS, groups={GANG: PODS[2:]})


class Untouchable:
    """A cluster that may be read, and no more."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.shown: list[Change] = []
        self._snapshot = snapshot

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def changes(self) -> Sequence[Change]:
        shown, self.shown = self.shown, []
        return shown

    def free(self) -> int:
        return 1

    def begin(self, write: Write) -> None:
        raise AssertionError(f"{write} was sent")

    def answers(self) -> Sequence[Answer]:
        raise AssertionError("nothing was sent")


class Stage:
    """A shadow over a cluster where another scheduler places pods."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.wakes = 0
        self.tally = Tally(("default-scheduler",), lambda: self.now_s)
        self.live = Untouchable(CLUSTER)
        self.shadow = ShadowCluster(self.live, self.tally, self.wake)
        self.shadow.snapshot()

    def wake(self) -> None:
        self.wakes += 1

    def they_bind(self, pod: Pod, node: str) -> None:
        bound = make_pod(pod.name, node=node)
        self.live.shown.append(PodChange(pod, bound))
        self.shadow.changes()

    def we_bind(self, pod: Pod, node: str) -> None:
        self.shadow.begin(BindWrite(Binding(pod.key, pod.uid, node)))


def test_what_would_have_been_written_is_said_to_be_done() -> None:
    stage = Stage()
    bind = BindWrite(Binding(PODS[0].key, PODS[0].uid, "n1"))
    evict, delete = EvictWrite(("d", "v"), "v", "m"), DeleteWrite(("d", "v"), "v", "m")
    for write in (bind, evict, delete):
        stage.shadow.begin(write)
    answers = [Answer(bind), Answer(evict, REFUSAL), Answer(delete, REFUSAL)]
    assert stage.shadow.answers() == answers
    assert not stage.shadow.answers()
    assert stage.wakes == 3


def test_the_summary_compares_what_they_did_with_what_we_would_have_added() -> None:
    stage = Stage()
    stage.now_s = 1.0
    stage.they_bind(PODS[0], "n1")
    stage.they_bind(PODS[2], "n2")  # one of a gang of two, and no more
    stage.now_s = 2.0
    stage.we_bind(PODS[0], "n9")  # too late: they had placed it
    stage.we_bind(PODS[1], "n1")
    stage.we_bind(PODS[3], "n1")
    summary = stage.tally.summary("default-scheduler")
    theirs, ours = summary.lines
    assert (summary.pods, summary.gangs) == (4, 1)
    assert (theirs.placed, theirs.gangs, theirs.nodes, theirs.wait_s) == (2, 0, 2, 1.0)
    assert (ours.placed, ours.gangs, ours.nodes, ours.wait_s) == (4, 1, 2, 1.5)


def test_a_trial_and_another_pod_of_the_same_name_count_for_nothing() -> None:
    stage = Stage()
    stage.shadow.begin(BindWrite(Binding(PODS[0].key, PODS[0].uid, "n1"), dry_run=True))
    stage.shadow.begin(BindWrite(Binding(PODS[0].key, "other", "n1")))
    assert stage.tally.summary("x").lines[1].placed == 0


def test_a_shadow_of_nobody_has_a_summary_too() -> None:
    tally = Tally((), lambda: 0.0)
    tally.begin(Snapshot())
    assert tally.summary("x").lines[0].wait_s == 0.0
