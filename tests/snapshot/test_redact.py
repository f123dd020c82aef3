"""A redacted snapshot tells nobody's names, and its placement is the same."""

from collections import Counter
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pytest

from batchsched.cli.files import _bytes, _names, _unpacked
from batchsched.profile import named_profiles
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.documents import documents
from batchsched.snapshot.kinds import GroupKind
from batchsched.snapshot.objects import READ, items
from batchsched.snapshot.read import read
from batchsched.snapshot.redact import MODELS, Names, reduced
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.snapshot.manifests import EXPORTS

CASES = Path(__file__).resolve().parents[2] / "models" / "cases"
NAMES = sorted(path.name for path in CASES.iterdir() if path.is_dir())
RESERVED = "0115-room-kept-for-a-gang-that-waits"
"""Its reservation is ours, and none that a live cluster has: redacting leaves it out."""
FOLDERS = (
    "02-kurl-sbctl",
    "03-trainticket-vgpu",
    "06-openshift/insights-archive",
    "07-minikube-wey",
    "08-troubleshoot",
    "12-minikube135-nri",
)
Raw = dict[str, Any]


def objects(folder: Path) -> list[tuple[GroupKind, Raw]]:
    """Every object of a folder, its kind written into it."""
    found = []
    for name in _names([str(folder)]):
        if name.endswith("expect.toml"):
            continue
        for document in documents(_unpacked(name, _bytes(name))):
            for item in items(name, document):
                kind = item.kind
                version = "/".join(part for part in (kind.group, kind.version or "v1") if part)
                named = {**item.raw, "apiVersion": version, "kind": kind.name}
                found.append(((kind.group, kind.name), named))
    return found


def redacted(found: list[tuple[GroupKind, Raw]], key: bytes | None) -> list[Raw]:
    names = Names(key)
    names.compare(raw for _, raw in found)
    return list(reduced(found, names))


def read_list(found: list[Raw]) -> Snapshot:
    return read([("list", orjson.dumps({"kind": "List", "items": found}))])


def tiers(snapshot: Snapshot) -> list[tuple[str, int, int | None]]:
    limits = Limits(time_limit_s=20, workers=1, deterministic=True)
    plan = schedule(snapshot, pending(snapshot), named_profiles()["default"], limits, lambda: 0.0)
    return [(tier.name, tier.value, tier.bound) for tier in plan.tiers]


def reasons(snapshot: Snapshot) -> Counter[str]:
    limits = Limits(time_limit_s=20, workers=1, deterministic=True)
    plan = schedule(snapshot, pending(snapshot), named_profiles()["default"], limits, lambda: 0.0)
    return Counter(unplaced.reason for unplaced in plan.unplaced)


def shape(snapshot: Snapshot) -> dict[str, int]:
    return {
        field.name: len(getattr(snapshot, field.name))
        for field in fields(Snapshot)
        if field.name != "reservation"
    }


def check(folder: Path) -> None:
    found = objects(folder)
    whole, plain = read_list([raw for _, raw in found]), read_list(redacted(found, None))
    hidden = read_list(redacted(found, b"key"))
    unread = {**shape(whole), "others": 0}
    assert shape(hidden) == unread
    assert {**shape(plain), "others": 0} == unread
    for field in fields(Snapshot):
        if field.name != "others":
            assert getattr(plain, field.name) == getattr(whole, field.name), "nothing read is lost"
    assert tiers(hidden) == tiers(whole)
    assert reasons(hidden) == reasons(whole)


@pytest.mark.parametrize("name", [name for name in NAMES if name != RESERVED])
def test_a_case_redacted_has_the_same_tiers(name: str) -> None:
    check(CASES / name)


@pytest.mark.slow
@pytest.mark.skipif(not EXPORTS.is_dir(), reason=f"no exports in {EXPORTS}")
@pytest.mark.parametrize("folder", FOLDERS)
def test_an_export_redacted_has_the_same_tiers(folder: str) -> None:
    check(EXPORTS / folder)


SECRET = "hunter2"  # noqa: S105 -- what must not be found


def test_nothing_leaves_but_what_is_read() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web",
            "managedFields": [{"manager": SECRET}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": SECRET},
            "finalizers": [SECRET],
        },
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "env": [{"name": "PASSWORD", "value": SECRET}],
                    "args": [SECRET],
                    "resources": {"requests": {"cpu": "1"}},
                }
            ],
            "volumes": [{"name": "v", "secret": {"secretName": SECRET}}],
            "imagePullSecrets": [{"name": SECRET}],
        },
        "status": {"podIP": SECRET, "message": SECRET},
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "data": {"p": SECRET}}
    for key in (None, b"key"):
        left = redacted([(("", "Pod"), pod), (("", "Secret"), secret)], key)
        assert SECRET not in orjson.dumps(left).decode()
        assert [raw["kind"] for raw in left] == ["Pod"]
        assert left[0]["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "1"}}


@pytest.mark.parametrize("name", NAMES)
def test_no_word_that_people_chose_is_left(name: str) -> None:
    found = objects(CASES / name)
    left = orjson.dumps(redacted(found, b"key")).decode()
    chosen = {raw["metadata"]["name"] for (_, kind), raw in found if kind in {"Node", "Pod"}}
    kept = {"memory", "system"}  # what pods are called here, and what scheduling knows too
    assert not {word for word in chosen - kept if len(word) > 4 and f'"{word}"' in left}


def test_names_that_are_made_of_others_still_are() -> None:
    names = Names(b"key")
    assert names.text("web-0-data") == f"{names.text('web-0')}-{names.text('data')}"
    assert names.text("eu-west-1") == f"{names.text('eu')}-{names.text('west-1')}"
    assert names.text("nginx") + ":latest" == names.text("nginx:latest")
    assert names.text("default") == "default"
    assert names.text("") == ""


def test_another_key_gives_other_names_and_none_leaves_them() -> None:
    assert Names(b"one").text("web") != Names(b"two").text("web")
    assert Names(b"one").text("web") == Names(b"one").text("web")
    assert Names().text("web") == "web"


def test_two_words_never_become_one() -> None:
    names = Names(b"key")
    words = [f"w{number}" for number in range(20_000)]
    assert len({names.text(word) for word in words}) == len(words)


def test_a_long_name_stays_a_name() -> None:
    assert len(Names(b"key").text("-".join("a" * 100))) < 253


@pytest.mark.parametrize(
    "key",
    [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
        "scheduling.x-k8s.io/pod-group",
        "pod-group.scheduling.sigs.k8s.io",
        "batchsched.io/gang",
    ],
)
def test_keys_of_kubernetes_stay(key: str) -> None:
    assert Names(b"key").key(key) == key


def test_keys_that_people_chose_do_not_stay() -> None:
    names = Names(b"key")
    assert "payroll" not in names.key("acme.com/payroll")
    assert "payroll" not in names.key("node-role.kubernetes.io/payroll")
    assert names.key("node-role.kubernetes.io/payroll").startswith("node-role.kubernetes.io/")


def test_the_gangs_of_other_schedulers_are_the_same_under_other_names() -> None:
    tasks = '[{"name": "payroll", "minMember": 2, "minResource": {"cpu": "1"}}]'
    subgroups = [{"name": "payroll", "minMember": 2}]
    marks: list[tuple[Raw, Raw]] = [
        ({"applicationId": "payroll"}, {"task-groups": tasks, "task-group-name": "payroll"}),
        ({"kai.scheduler/subgroup-name": "payroll"}, {"pod-group-name": "payroll"}),
        (
            {
                "pod-group.scheduling.sigs.k8s.io/name": "payroll",
                "pod-group.scheduling.sigs.k8s.io/min-available": "2",
            },
            {"gang.scheduling.koordinator.sh/groups": '["default/payroll"]'},
        ),
    ]
    found: list[tuple[GroupKind, Raw]] = [
        (("", "Node"), {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}),
        (
            ("scheduling.run.ai", "PodGroup"),
            {
                "apiVersion": "scheduling.run.ai/v2alpha2",
                "kind": "PodGroup",
                "metadata": {"name": "payroll"},
                "spec": {"subGroups": subgroups},
            },
        ),
    ]
    for number, (labels, notes) in enumerate(marks):
        yunikorn = {
            f"yunikorn.apache.org/{key}" if "task" in key else key: notes[key] for key in notes
        }
        metadata = {"name": f"p-{number}", "labels": labels, "annotations": yunikorn}
        spec = {"containers": [{"name": "c"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        found.append((("", "Pod"), pod))
    left = redacted(found, b"key")
    assert b"payroll" not in orjson.dumps(left)
    before, after = (read_list(objects).groups for objects in ([raw for _, raw in found], left))
    assert [(g.api, g.min_count, g.problem) for g in after] == [
        (g.api, g.min_count, g.problem) for g in before
    ]
    assert {g.problem for g in before} == {None}


def test_groups_are_in_the_same_composites_under_other_names() -> None:
    scheduling = "scheduling.k8s.io"
    found: list[tuple[GroupKind, Raw]] = [
        (("", "Node"), {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    ]
    for kind, name, policy in (
        ("CompositePodGroup", "payroll", {"gang": {"minGroupCount": 2}}),
        ("PodGroup", "payroll-a", {"gang": {"minCount": 1}}),
        ("PodGroup", "payroll-b", {"gang": {"minCount": 1}}),
    ):
        above = {"parentCompositePodGroupName": "payroll"} if kind == "PodGroup" else {}
        head = {"apiVersion": f"{scheduling}/v1alpha3", "kind": kind, "metadata": {"name": name}}
        found.append(((scheduling, kind), {**head, "spec": {"schedulingPolicy": policy, **above}}))
    left = redacted(found, b"key")
    assert b"payroll" not in orjson.dumps(left)
    assert [(len(g.union), g.problem) for g in read_list(left).groups] == [(2, None)] * 2


def test_every_kind_that_is_read_can_leave() -> None:
    kinds = chain.from_iterable(((group, name) for name in names) for group, names in READ.items())
    assert set(MODELS) == set(kinds)
