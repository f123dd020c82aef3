"""Records: what was decided is decided again from the files, and the disk does not fill up."""

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsched.ageing import decide
from batchsched.cli.files import load
from batchsched.daemon.ports import WindowRecord
from batchsched.daemon.records import Bounds, Records, as_decided
from batchsched.daemon.solving import Effort, Terms
from batchsched.plan.plan import Plan
from batchsched.profile import Profile
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.encode_cluster import written
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from batchsched.testing.builders import make_node, make_pod, snapshot_of
from tests.strategies import clusters
from tests.strategies import snapshot_of as cluster_of

EFFORT = Effort(workers=1)
CLUSTER = snapshot_of(
    make_node("n1"), *(make_pod(f"p{i}", requests={"cpu": 1500}, priority=i) for i in range(4))
)


def decided(snapshot: Snapshot, window: Window, allowance: Allowance = NOTHING) -> Plan:
    limits = Limits(deterministic=True)
    return schedule(snapshot, window, Profile(), limits, lambda: 0.0, allowance=allowance)


def window_record(window: int, plan: Plan | None) -> WindowRecord:
    return WindowRecord(
        window=window,
        profile="default-scheduler",
        closed_by="idle",
        closed_s=0.0,
        solved_s=1.0,
        ended_s=2.0,
        pods=4,
        plan=plan,
        failure="",
        solve_id=f"w{window}-abc" if plan else "",
        bound=2,
        refused=0,
        waiting=2,
    )


def records(folder: Path, **bounds: int) -> Records:
    return Records(folder, {"default-scheduler": Terms()}, EFFORT, Bounds(**bounds))


def kept(folder: Path, count: int, **bounds: int) -> list[str]:
    """The records that are there after so many windows, each of another process."""
    plan = decided(CLUSTER, pending(CLUSTER))
    for window in range(count):
        writer = records(folder, **bounds)
        writer.keep(window_record(window, plan), CLUSTER, pending(CLUSTER))
        writer.close()
    return sorted(path.name for path in folder.iterdir())


def test_a_record_keeps_the_room_that_was_kept() -> None:
    pods = [make_pod(name, requests={"cpu": 3000}) for name in ("a", "b")]
    snapshot = snapshot_of(make_node("n1"), *pods)
    window = Window(pending(snapshot).pods, overdue=((pods[1].key,),), now_s=1e9 + 0.25)
    plan = decide(snapshot, window, Profile(), Limits(deterministic=True), lambda: 0.0)
    assert plan.reservation is not None
    kept_there = replace(snapshot, reservation=plan.reservation.meant())
    again = read([("record", written(as_decided(kept_there, window)))])
    assert again.reservation == plan.reservation.meant()
    assert decided(again, pending(again)) == plan
    assert [binding.name for binding in plan.bindings] == ["b"]


@given(clusters(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_a_record_is_the_same_problem(objects: list[dict[str, object]], rng: random.Random) -> None:
    snapshot, allowance = cluster_of(objects), Allowance(preemption=rng.random() < 0.5)
    window = Window(tuple(pod for pod in pending(snapshot).pods if rng.random() < 0.7))
    again = read([("record", written(as_decided(snapshot, window)))])
    assert pending(again).pods == window.pods
    assert decided(again, pending(again), allowance) == decided(snapshot, window, allowance)


def test_the_command_that_a_record_names_gives_its_plan_again(tmp_path: Path) -> None:
    window = Window(pending(CLUSTER).pods[1:])
    writer = records(tmp_path)
    writer.keep(window_record(7, decided(CLUSTER, window)), CLUSTER, window)
    writer.close()
    folder = tmp_path / "w7-abc"
    told = json.loads((folder / "window.json").read_bytes())
    assert told["pods"] == ["default/p1", "default/p2", "default/p3"]
    program = [sys.executable, "-m", *told["replay"].split(), "-o", "again.json", "--quiet"]
    subprocess.run(program, cwd=folder, check=True)
    first, again = (
        Plan.model_validate_json((folder / n).read_bytes()) for n in ("plan.json", "again.json")
    )
    assert first.snapshot == again.snapshot, "the hash of the file and the counts are the same"
    assert (first.bindings, first.unplaced) == (again.bindings, again.unplaced)
    verify = [sys.executable, "-m", "batchsched", "verify", "plan.json", "snapshot.json.gz"]
    subprocess.run(verify, cwd=folder, check=True, capture_output=True)


def test_a_failed_solve_is_kept_with_its_reason(tmp_path: Path) -> None:
    writer = records(tmp_path)
    writer.dump(3, CLUSTER, pending(CLUSTER), "the solver process ended by signal 9")
    writer.keep(window_record(3, None), CLUSTER, pending(CLUSTER))
    writer.close()
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("failed-w3-")
    assert json.loads((folder / "window.json").read_bytes())["failure"].endswith("signal 9")
    assert {path.name for path in folder.iterdir()} == {
        "snapshot.json.gz",
        "profile.json",
        "window.json",
    }
    snapshot, _ = load([str(folder)])
    assert snapshot.pods == CLUSTER.pods


def test_the_oldest_records_make_room(tmp_path: Path) -> None:
    assert kept(tmp_path / "few", 5, records_max=2) == ["w3-abc", "w4-abc"]
    assert kept(tmp_path / "small", 3, bytes_max=1) == ["w2-abc"], "the last one always stays"
    assert len(kept(tmp_path / "all", 5)) == 5


def test_a_folder_that_cannot_be_made_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made a folder for records"):
        records(tmp_path / "file" / "below")


def test_a_slow_disk_drops_records_and_not_the_scheduler(tmp_path: Path) -> None:
    writer, plan = records(tmp_path), decided(CLUSTER, pending(CLUSTER))
    writer._queue.put(None)  # the thread ends: nobody writes any more
    writer._thread.join()
    for window in range(10):
        writer.keep(window_record(window, plan), CLUSTER, pending(CLUSTER))
    assert writer.dropped == 6
