"""Objects of a small cluster, drawn: of few names, so that they meet."""

from collections.abc import Callable
from functools import partial
from typing import Any

import hypothesis.strategies as st

from batchsched.snapshot.groups import LABEL
from batchsched.snapshot.kinds import GroupKind
from tests.kube.manifests import (
    composite,
    gang,
    gang_in,
    job,
    kai_gang,
    node,
    other_gang,
    pod,
    ranked_gang,
    service,
)

Raw = dict[str, Any]

POD, NODE, SERVICE, JOB = ("", "Pod"), ("", "Node"), ("", "Service"), ("batch", "Job")
GROUP, OTHER_GROUP = ("scheduling.k8s.io", "PodGroup"), ("scheduling.x-k8s.io", "PodGroup")
KAI_GROUP = ("scheduling.run.ai", "PodGroup")
COMPOSITE = ("scheduling.k8s.io", "CompositePodGroup")
DRAWN = [POD, NODE, SERVICE, JOB, GROUP, OTHER_GROUP, KAI_GROUP, COMPOSITE]

NAMES = st.sampled_from(["a", "b", "c"])
POD_GROUPS: list[Raw] = [
    {},
    {"spec": {"schedulingGroup": {"podGroupName": "a"}}},
    {"meta": {"labels": {LABEL: "a"}}},
    {"meta": {"labels": {LABEL: "b", "app": "web"}}},
    {"meta": {"labels": {"app": "web"}}},
    {"meta": {"annotations": {"batchsched.io/gang": "a", "batchsched.io/min-available": "2"}}},
    {"meta": {"annotations": {"batchsched.io/gang": "a", "batchsched.io/min-available": "3"}}},
    {
        "meta": {
            "annotations": {"batchsched.io/gang": "owner"},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": "a",
                    "uid": "j",
                    "controller": True,
                }
            ],
        }
    },
    {"spec": {"schedulerName": "other"}, "meta": {"labels": {LABEL: "a"}}},
    {
        "meta": {
            "annotations": {"pod-group-name": "a"},
            "labels": {"kai.scheduler/subgroup-name": "a"},
        }
    },
    {"meta": {"annotations": {"pod-group-name": "a"}}},
    {
        "meta": {
            "labels": {"kueue.x-k8s.io/pod-group-name": "a"},
            "annotations": {"kueue.x-k8s.io/pod-group-total-count": "3"},
        }
    },
    {
        "meta": {
            "labels": {
                "pod-group.scheduling.sigs.k8s.io/name": "a",
                "pod-group.scheduling.sigs.k8s.io/min-available": "2",
            }
        }
    },
]
A_GANG: tuple[Callable[[str, int], Raw], ...] = (
    gang,
    ranked_gang,
    partial(gang_in, "a"),
    partial(gang_in, "b"),
)
PHASES = st.sampled_from(["Pending", "Running", "Succeeded", "Failed"])


@st.composite
def objects(draw: st.DrawFn) -> tuple[GroupKind, Raw]:
    kind = draw(st.sampled_from([POD, POD, *DRAWN]))
    name, number = draw(NAMES), draw(st.integers(1, 3))
    made = {
        NODE: lambda: node(f"n-{name}", str(number), zone=name),
        SERVICE: lambda: service(name, app=draw(st.sampled_from(["web", "db"]))),
        JOB: lambda: job(name, number, draw(st.sampled_from([None, "a"]))),
        GROUP: lambda: draw(st.sampled_from(A_GANG))(name, number),
        COMPOSITE: lambda: composite(name, number, draw(st.sampled_from([None, "a", "b"]))),
        KAI_GROUP: lambda: kai_gang(name, number),
        OTHER_GROUP: lambda: other_gang(name, number),
        POD: lambda: pod(
            f"p-{name}",
            node=draw(st.sampled_from([None, "n-a", "n-b"])),
            phase=draw(PHASES),
            uid=draw(st.sampled_from(["1", "2"])),
            **draw(st.sampled_from(POD_GROUPS)),
        ),
    }
    return kind, made[kind]()
