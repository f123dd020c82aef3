"""The openb tables: whole GPUs are placed, fractions are counted, a seed draws the arrivals."""

import pytest

from batchsched.sim.trace import GPU, MODEL, Draw, is_trace, load_trace
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.labels import NodeSelectorTerm, Requirement

NODES = b"""sn,cpu_milli,memory_mib,gpu,model
b,32000,262144,0,
a,96000,393216,8,G2
"""
PODS = b"""name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time,deletion_time
cpu,8000,1024,0,0,,100,160
share,6000,12288,1,460,,110,1000
one,12000,16384,1,1000,G2|T4|G2,130,430
eight,64000,0,8,1000,,120,720
"""
FILES = [("nodes.csv", NODES), ("pods.csv", PODS)]


def test_a_trace_is_told_by_its_first_line() -> None:
    assert is_trace(NODES)
    assert is_trace(PODS)
    assert not is_trace(b"a,b,c\n1,2,3\n")
    assert not is_trace(b"kind: Node\n")


def test_nodes_have_devices_and_models() -> None:
    first, second = load_trace(FILES, Draw()).base.nodes
    assert (first.name, dict(first.allocatable)[GPU], dict(first.labels)[MODEL]) == ("a", 8, "G2")
    assert GPU not in dict(second.allocatable)
    assert MODEL not in dict(second.labels)


def test_recorded_pods_arrive_and_last_as_in_the_trace() -> None:
    made = load_trace(FILES, Draw("recorded"))
    found = [(pod.pod.name.partition("-")[2], pod.at_s, pod.duration_s) for pod in made.pods]
    assert found == [("cpu", 0.0, 60.0), ("eight", 20.0, 600.0), ("one", 30.0, 300.0)]
    assert "1 of 4 pods ask for a fraction of a GPU" in made.notes[0]


def test_a_model_is_a_node_affinity() -> None:
    pods = [arrival.pod for arrival in load_trace(FILES, Draw("recorded")).pods]
    specs = {pod.name.partition("-")[2]: pod.spec for pod in pods}
    requirement = Requirement(MODEL, "In", ("G2", "T4"))
    assert specs["one"].node_affinity == (NodeSelectorTerm((requirement,)),)
    assert specs["eight"].node_affinity is None
    assert dict(specs["eight"].requests) == {"cpu": 64000, GPU: 8}


def test_a_backlog_is_there_at_once_in_the_order_of_the_seed() -> None:
    runs = [load_trace(FILES, Draw("backlog", seed=seed)).pods for seed in range(8)]
    orders = {tuple(pod.pod.name.partition("-")[2] for pod in run) for run in runs}
    assert len(orders) > 1
    assert all(pod.at_s == 0.0 and pod.duration_s is None for run in runs for pod in run)


@pytest.mark.parametrize("load", [1.0, 2.0])
def test_drawn_pods_would_fill_the_cluster_as_often_as_asked(load: float) -> None:
    made = load_trace(FILES, Draw(seed=3, load=load, span_s=600.0))
    assert made == load_trace(FILES, Draw(seed=3, load=load, span_s=600.0))
    in_flight = sum(
        dict(pod.pod.spec.requests).get(GPU, 0) * min(pod.duration_s or 600.0, 600.0) / 600.0
        for pod in made.pods
    )
    assert load * 8 <= in_flight < load * 8 + 8
    assert [pod.at_s for pod in made.pods] == sorted(pod.at_s for pod in made.pods)
    names = [pod.pod.name for pod in made.pods]
    assert names == sorted(names), "names sort in the order of arrival"


@pytest.mark.parametrize(
    "files",
    [
        FILES[:1],
        [*FILES, FILES[0]],
        [FILES[0], ("pods.csv", PODS.replace(b"6000", b"many"))],
        [FILES[0], ("pods.csv", PODS.replace(b"6000", b"9" * 30))],
        [FILES[0], ("pods.csv", PODS.replace(b"8000", b"-1"))],
        [FILES[0], ("pods.csv", PODS.replace(b"100,160", b"100,1C0"))],
        [FILES[0], ("pods.csv", PODS.replace(b"100,160", b"100,"))],
        [FILES[0], ("pods.csv", PODS.replace(b"share", b"cpu"))],
        [("nodes.csv", NODES.replace(b"a,", b"b,")), FILES[1]],
        [("nodes.csv", NODES.replace(b"a,", b",")), FILES[1]],
    ],
)
def test_what_is_no_trace_is_refused(files: list[tuple[str, bytes]]) -> None:
    with pytest.raises(InputError):
        load_trace(files, Draw())
