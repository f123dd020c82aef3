"""The rights are few, each is needed, and what is needed and missing is noticed."""

from pathlib import Path

import pytest
import yaml

from batchsched.kube.discovery import RESOURCES
from tests.controlplane.api import ApiError, collection, path_of
from tests.controlplane.fixtures import find_programs
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.deploy.audit import ACCOUNT, NAMESPACE, AuditedPlane, give_rights, uses
from tests.deploy.rights import RIGHTS, Right, given, missing, unneeded

LEASES = "coordination.k8s.io/v1"
ALWAYS = ("batchsched", "batchsched-lease")
ADDED = ("batchsched-volumes", "batchsched-gang-release", "batchsched-preemption")
EVERY = (*ALWAYS, *ADDED, "batchsched-reader")
READING = {"list", "watch"}
WRITING = {
    *(f"create {x}" for x in ("pods/binding", "pods/eviction", "events.events.k8s.io")),
    *("patch pods/status", "patch events.events.k8s.io", "delete pods"),
    *("patch podgroups/status.scheduling.k8s.io", "patch podgroups/status.scheduling.x-k8s.io"),
    *("patch persistentvolumeclaims", "patch persistentvolumes"),
    *("create leases.coordination.k8s.io", "update leases.coordination.k8s.io batchsched"),
}


def test_the_file_holds_the_roles_that_are_known_here_and_no_other() -> None:
    documents = list(yaml.safe_load_all(RIGHTS.read_text(encoding="utf-8")))
    assert {document["metadata"]["name"] for document in documents} == set(EVERY)


def test_no_right_stands_for_many() -> None:
    assert not [right for right in given(*EVERY) if "*" in "".join(right)]


def test_nobody_may_read_secrets_or_change_what_pods_ask_for() -> None:
    assert not {"secrets", "configmaps", "pods/exec"} & {x.resource for x in given(*EVERY)}
    written = {str(right) for right in given(*EVERY) if right.verb not in {*READING, "get"}}
    assert written == WRITING


def test_only_leases_volumes_and_victims_are_read_one_by_one() -> None:
    read = {str(right) for right in given(*EVERY) if right.verb == "get"}
    assert read == {
        *("get leases.coordination.k8s.io batchsched",),
        *("get persistentvolumeclaims", "get persistentvolumes", "get pods"),
    }


def test_the_role_for_people_reads_what_the_scheduler_reads_and_writes_nothing() -> None:
    assert given("batchsched-reader") == {x for x in given("batchsched") if x.verb in READING}


def test_what_is_added_is_in_no_other_role() -> None:
    for role in ADDED:
        assert not given(role) & given(*(other for other in EVERY if other != role))


def test_every_kind_that_the_program_reads_may_be_listed_and_watched() -> None:
    read = {
        Right(verb, resource.kind[0], resource.plural) for resource in RESOURCES for verb in READING
    }
    assert read == {right for right in given("batchsched") if right.verb in READING}


def test_a_right_to_one_object_is_no_right_to_another() -> None:
    rights = given("batchsched-lease")
    ours = Right("update", "coordination.k8s.io", "leases", "batchsched")
    assert not missing([ours], rights)
    assert missing([ours._replace(name="kube-scheduler")], rights)


def test_what_was_not_used_is_named() -> None:
    used = given("batchsched-lease") - {Right("create", "coordination.k8s.io", "leases")}
    unused = unneeded(used, given("batchsched-lease"))
    assert [str(right) for right in unused] == ["create leases.coordination.k8s.io"]


def test_an_event_of_another_user_or_about_no_object_is_no_use_of_a_right() -> None:
    about = {"resource": "pods", "namespace": "a", "name": "p", "subresource": "status"}
    event = {"verb": "patch", "user": {"username": ACCOUNT}, "objectRef": about}
    assert uses(event, ACCOUNT) == [Right("patch", "", "pods/status", "p")]
    assert uses(event, "somebody") == []
    assert uses({**event, "objectRef": None}, ACCOUNT) == []


@pytest.fixture
def audited(tmp_path: Path) -> AuditedPlane:
    """A control plane of this test's own, not started yet."""
    return AuditedPlane(find_programs(), tmp_path)


@pytest.mark.slow
@pytest.mark.controlplane
def test_the_audit_log_tells_what_was_used_what_was_refused_and_what_was_not_needed(
    audited: AuditedPlane,
) -> None:
    with audited:
        admin, account = audited.api(), audited.api(ACCOUNT)
        give_rights(admin, *ALWAYS)
        create_nodes(admin, [make_node("n1")])
        [pod] = create_pods(admin, NAMESPACE, [make_pod("p", {"cpu": "1"})])
        assert len(account.get(collection("nodes"))["items"]) == 1
        account.bind(pod, "n1")
        lease = {
            "apiVersion": LEASES,
            "kind": "Lease",
            "metadata": {"name": "batchsched"},
            "spec": {"holderIdentity": "us"},
        }
        made = account.create(collection("leases", NAMESPACE, LEASES), lease)
        account.update(f"{collection('leases', NAMESPACE, LEASES)}/batchsched", made)
        for call, path in (
            (account.get, path_of(pod)),
            (account.delete, path_of(pod)),
            (account.get, f"{collection('leases', NAMESPACE, LEASES)}/another"),
            (account.get, collection("secrets")),
        ):
            with pytest.raises(ApiError, match="is forbidden"):
                call(path)
        used = audited.used()
    assert {str(right) for right in missing(used, given(*ALWAYS))} == {
        "delete pods p",
        "get leases.coordination.k8s.io another",
        "get pods p",
        "list secrets",
    }
    unused = {str(right) for right in unneeded(used, given(*ALWAYS))}
    assert {
        "watch nodes",
        "patch pods/status",
        "get leases.coordination.k8s.io batchsched",
    } < unused
    assert not {"list nodes", "create pods/binding", "create leases.coordination.k8s.io"} & unused
