"""The map holds every pod where it is and where it goes, and sums up as one does by hand."""

import orjson

from batchsched.plan.plan import Binding, Eviction, Plan
from batchsched.report.clustermap import blocks, natural, of_plan
from batchsched.snapshot.snapshot import Snapshot
from tests.builders import make_node, make_pod, make_snapshot

GPU = "nvidia.com/gpu"
HOSTILE = "</script><b>"


def planned() -> tuple[Snapshot, Plan]:
    """Two pools; one pod stays, one is moved, one goes, one comes."""
    nodes = [
        make_node("cpu-10", cpu=4000, labels={"pool": "cpu"}),
        make_node("cpu-9", cpu=4000, labels={"pool": "cpu"}),
        make_node("gpu-1", cpu=8000, resources={GPU: 8}, labels={"pool": "gpu"}),
    ]
    pods = [
        make_pod("stays", cpu=1000, node="cpu-9"),
        make_pod("moved", cpu=2000, node="cpu-9"),
        make_pod("goes", requests={GPU: 8}, node="gpu-1"),
        make_pod(HOSTILE, cpu=1000, requests={GPU: 4}),
    ]
    where = {"namespace": "default", "uid": "", "from_": "cpu-9"}
    plan = Plan(
        status="Optimal",
        bindings=(Binding(namespace="default", name=HOSTILE, uid="", node="gpu-1"),),
        evictions=(
            Eviction(name="moved", to="cpu-10", reason="Moved", **where),
            Eviction(name="goes", reason="Preempted", **{**where, "from_": "gpu-1"}),
        ),
    )
    return make_snapshot(nodes, pods), plan


def test_a_moved_pod_is_on_one_node_now_and_on_the_other_as_planned() -> None:
    snapshot, plan = planned()
    (run,) = of_plan(snapshot, plan).runs
    found = {(pod.name, pod.node): (pod.start, pod.end) for pod in run.pods}
    assert found == {
        ("default/stays", "cpu-9"): (0, 2),
        ("default/moved", "cpu-9"): (0, 1),
        ("default/moved", "cpu-10"): (1, 2),
        ("default/goes", "gpu-1"): (0, 1),
        (f"default/{HOSTILE}", "gpu-1"): (1, 2),
    }


def test_pools_are_summed_up_before_and_after() -> None:
    snapshot, plan = planned()
    cluster = of_plan(snapshot, plan)
    assert cluster.resources == (GPU, "cpu", "memory")
    cpu, gpu = blocks(cluster)
    assert (cpu.pool, cpu.nodes, cpu.pods) == ("cpu", 2, (2, 2))
    assert cpu.shares[:2] == ((None, None), (3 / 8, 3 / 8))
    assert (gpu.pods, gpu.shares[:2]) == ((1, 1), ((1.0, 0.5), (0.0, 1 / 8)))


def test_no_name_in_the_data_ends_the_element_that_holds_it() -> None:
    snapshot, plan = planned()
    text = of_plan(snapshot, plan).to_json()
    assert "<" not in text
    content = orjson.loads(text)
    assert f"default/{HOSTILE}" in content["runs"][0]["pods"]["name"]
    assert content["nodes"]["name"] == ["cpu-9", "cpu-10", "gpu-1"]


def test_numbers_in_names_are_ordered_as_numbers() -> None:
    names = ["n10", "n9", "n", "m2", "n9-b"]
    assert sorted(names, key=natural) == ["m2", "n", "n9", "n9-b", "n10"]
