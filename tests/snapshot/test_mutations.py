"""Damaged snapshots: whatever happens to the bytes, the answer is a snapshot or one plain line."""

import json
import random

import pytest
import yaml

from batchsched.snapshot.errors import InputError
from batchsched.snapshot.read import read
from tests.snapshot.manifests import EXPORTS, container, node, obj, pod
from tests.snapshot.mutations import mutated

LINE_MAX = 600
ANOTHER_NODE = ("node.json", json.dumps(node("another-node")).encode())


def refusal(source: str, data: bytes) -> str:
    """The line that the user gets; empty if the bytes are a snapshot."""
    try:
        read([(source, data), ANOTHER_NODE])
    except InputError as error:
        return str(error)
    return ""


def survives(source: str, data: bytes) -> bool:
    """Whether the bytes are a snapshot; anything but a good refusal fails the test."""
    line = refusal(source, data)
    assert "\n" not in line
    assert len(line) < LINE_MAX
    return not line


def small_documents() -> list[bytes]:
    """A cluster that uses a bit of everything."""
    affinity = {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {"a": "b"}},
                }
            ]
        }
    }
    main = container(cpu="500m", memory="1Gi")
    objects = [
        node(),
        pod(containers=[main], affinity=affinity, tolerations=[{"operator": "Exists"}]),
        pod("q", schedulingGroup={"podGroupName": "g"}, volumes=[{"name": "v", "ephemeral": {}}]),
        obj(
            "PersistentVolumeClaim",
            "c",
            namespace="default",
            spec={"accessModes": ["ReadWriteOnce"]},
        ),
        obj(
            "PodGroup",
            "g",
            api="scheduling.k8s.io/v1beta1",
            namespace="default",
            spec={"schedulingPolicy": {"gang": {"minCount": 1}}},
        ),
        obj("Job", "j", api="batch/v1", namespace="default", spec={"parallelism": 2}),
    ]
    whole = {"apiVersion": "v1", "kind": "List", "items": objects}
    return [json.dumps(whole).encode(), yaml.safe_dump_all(objects).encode()]


def exported_documents() -> list[bytes]:
    """Every file of the exports, YAML once more as JSON so that its values can be changed too."""
    files = sorted(path for path in EXPORTS.rglob("*") if path.suffix in {".json", ".yaml"})
    found = []
    for data in (path.read_bytes() for path in files):
        found.append(data)
        if not data.lstrip().startswith(b"{") and b"{{" not in data:
            objects = [entry for entry in yaml.load_all(data, yaml.CSafeLoader) if entry]
            found.append(json.dumps(objects, default=str).encode())
    return found


def outcomes(documents: list[bytes], seed: int, count: int) -> set[bool]:
    """What became of so many mutations."""
    draw = random.Random(seed)
    return {survives("damaged", mutated(draw, draw.choice(documents))) for _ in range(count)}


def test_damage_to_a_small_cluster_is_refused_or_harmless() -> None:
    assert outcomes(small_documents(), seed=1, count=500) == {True, False}


@pytest.mark.slow
@pytest.mark.skipif(not EXPORTS.is_dir(), reason=f"no exports in {EXPORTS}")
def test_ten_thousand_mutations_of_real_exports_are_refused_or_harmless() -> None:
    assert outcomes(exported_documents(), seed=2, count=10_000) == {True, False}
