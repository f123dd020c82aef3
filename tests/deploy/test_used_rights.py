"""The adapter works under exactly the rights of deploy/: none is missing, none is there in vain.

Everything that the adapter can read and write is read and written once, as the scheduler's account,
on an API server that knows every kind of group; its audit log says which rights that took.
"""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest
import yaml

from batchsched.cycle import Announce, Binding, WonLease
from batchsched.daemon.ports import BindWrite, DeleteWrite, EvictWrite, NominateWrite, Write
from batchsched.kube.announcements import GroupState, Reporter, group_status
from batchsched.kube.cache import Cache
from batchsched.kube.connection import Connection
from batchsched.kube.lease import Elector, LeaseSettings
from batchsched.kube.publisher import Publisher
from batchsched.kube.steps import Steps
from batchsched.kube.volumes import BIND_COMPLETED, Choice, before_bind
from batchsched.kube.writer import Writer
from batchsched.snapshot.group import PodGroup
from tests.controlplane.api import Api, ApiError, Object, collection
from tests.controlplane.definitions import COSCHEDULING, DEFINITIONS, KUBERNETES, define_pod_groups
from tests.controlplane.fixtures import find_programs
from tests.controlplane.objects import create_nodes, create_pods, make_node, make_pod
from tests.controlplane.waiting import wait_for
from tests.deploy.audit import ACCOUNT, NAMESPACE, AuditedPlane, give_rights
from tests.deploy.rights import given, missing, unneeded

SCHEDULER = (
    *("batchsched", "batchsched-lease", "batchsched-volumes"),
    *("batchsched-gang-release", "batchsched-preemption"),
)
OTHER_KINDS = Path(__file__).with_name("other-kinds.yaml")
WALL = "2026-01-01T00:00:00.000000Z"
CLAIMS = collection("persistentvolumeclaims", NAMESPACE)
STORAGE = {
    "accessModes": ["ReadWriteOnce"],
    "storageClassName": "waits",
}

pytestmark = [pytest.mark.controlplane, pytest.mark.slow]


class Clock:
    """The real one: nothing here is asserted about it."""

    def now_s(self) -> float:
        return time.monotonic()


class Account:
    """The parts of the adapter, as the scheduler's account."""

    def __init__(self, plane: AuditedPlane) -> None:
        self.plane, self.admin = plane, plane.api()
        self.connection = Connection.open(kubeconfig=str(plane.kubeconfig(ACCOUNT)))
        self.writer = Writer(self.connection, Clock(), allowance_s=lambda: 60.0, wake=lambda: None)
        self.writer.start()

    def close(self) -> None:
        self.writer.stop()
        self.connection.close()

    def pod(self, name: str) -> Object:
        [made] = create_pods(self.admin, NAMESPACE, [make_pod(name, {"cpu": "1"})])
        return made

    def bind(self, made: Object, before: Steps | None = None) -> None:
        key = (NAMESPACE, made["metadata"]["name"])
        self.begin(BindWrite(Binding(key, made["metadata"]["uid"], "n1")), before)

    def begin(self, write: Write, before: Steps | None = None) -> None:
        self.writer.begin(write, before)

    def done(self) -> None:
        """Wait for one answer, and see that it is no refusal."""
        answers: list[str | None] = []

        def there() -> bool:
            answers.extend(answer.refusal for answer in self.writer.answers())
            return bool(answers)

        wait_for(there)
        assert answers == [None]


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[AuditedPlane]:
    """An API server with an audit log, every kind of group, a node, and the roles of deploy/."""
    with AuditedPlane(find_programs(), tmp_path) as started:
        admin = started.api()
        define_pod_groups(admin)
        for body in yaml.safe_load_all(OTHER_KINDS.read_text(encoding="utf-8")):
            admin.create(DEFINITIONS, body)
            wait_for(partial(is_established, admin, body["metadata"]["name"]))
        create_nodes(admin, [make_node("n1")])
        yield started


def is_established(api: Api, name: str) -> bool:
    """Whether discovery tells of a kind already: who looks before takes it for absent."""
    definition = api.get(f"{DEFINITIONS}/{name}")
    group, version = definition["spec"]["group"], definition["spec"]["versions"][0]["name"]
    try:
        found = api.get(f"/apis/{group}/{version}")
    except ApiError:
        return False
    return definition["spec"]["names"]["plural"] in {each["name"] for each in found["resources"]}


def read(account: Account) -> None:
    """Read the whole cluster, and begin to watch it."""
    cache = Cache(account.connection, Random(0))
    cache.start()
    wait_for(cache.synced)  # and each watch begins after its list
    wait_for(lambda: not unneeded(account.plane.used(), given("batchsched-reader")))
    cache.stop()


def write(account: Account) -> None:
    """Write each kind of write once."""
    victim, member, waiting = (account.pod(name) for name in ("victim", "member", "waiting"))
    for made in (victim, member):
        account.bind(made)
        account.done()
    message = "for a test"
    for each in (
        EvictWrite((NAMESPACE, "victim"), victim["metadata"]["uid"], message),
        DeleteWrite((NAMESPACE, "member"), member["metadata"]["uid"], message),
        NominateWrite((NAMESPACE, "waiting"), waiting["metadata"]["uid"], "n1"),
    ):
        account.begin(each)
        account.done()


def prepare_volumes(account: Account) -> None:
    """Bind a pod of two claims: one gets a volume that is there, one has its volume made."""
    admin, choices = account.admin, []
    room = {"capacity": {"storage": "1Gi"}, "hostPath": {"path": "/nowhere"}}
    volume = {"metadata": {"name": "v"}, "spec": {**STORAGE, **room}}
    admin.create(collection("persistentvolumes"), volume)
    for name, chosen in (("static", "v"), ("made", None)):
        spec = {**STORAGE, "resources": {"requests": {"storage": "1Gi"}}}
        claim = admin.create(CLAIMS, {"metadata": {"name": name}, "spec": spec})
        choices.append(Choice(NAMESPACE, name, claim["metadata"]["uid"], "n1", (), chosen))
    account.bind(account.pod("stores"), before_bind(choices, time.monotonic()))
    wait_for(lambda: "annotations" in admin.get(f"{CLAIMS}/made")["metadata"])
    for name in ("static", "made"):  # as the volume controller does
        note = {"annotations": {BIND_COMPLETED: "yes"}}
        admin.patch(f"{CLAIMS}/{name}", {"metadata": note, "spec": {"volumeName": "v"}})
    account.done()


def tell(account: Account) -> None:
    """Publish an event, its repetition, a condition, and the status of groups."""
    dropped: list[tuple[str, str]] = []
    publisher = Publisher(
        account.connection,
        Clock(),
        Reporter("batchsched-test", lambda: WALL),
        dropped=lambda kind, why: dropped.append((kind, why)),
    )
    made = account.pod("told")
    for _ in range(2):
        key, uid = (NAMESPACE, "told"), made["metadata"]["uid"]
        publisher.announce(Announce(key, uid, "FailedScheduling", "no room"))
        while publisher.turn():
            pass
    assert not dropped
    for group, spec in (
        (KUBERNETES, {"schedulingPolicy": {"gang": {"minCount": 2}}}),
        (COSCHEDULING, {"minMember": 2}),
    ):
        body = {"apiVersion": group, "kind": "PodGroup", "metadata": {"name": "g"}, "spec": spec}
        account.admin.create(collection("podgroups", NAMESPACE, group), body)
        api, _, version = group.partition("/")
        state = GroupState(PodGroup(api, NAMESPACE, "g", min_count=2), scheduled=True)
        call = group_status(state, version, WALL)
        assert call is not None
        reply = account.connection.call(
            call.method, call.path, body=call.body, content_type=call.content_type
        )
        assert reply.status == 200, reply.reason


def lead(account: Account) -> None:
    """Take the lease, renew it and give it back."""
    elector = Elector(
        account.connection,
        LeaseSettings(NAMESPACE, "batchsched", "us"),
        Clock(),
        wall=lambda: WALL,
        wake=lambda: None,
    )
    elector.turn()
    elector.turn()
    assert elector.events() == [WonLease()]
    elector.stop()


def test_the_adapter_uses_every_right_of_the_scheduler_and_no_other(plane: AuditedPlane) -> None:
    give_rights(plane.api(), *SCHEDULER)
    account = Account(plane)
    for part in (read, write, prepare_volumes, tell, lead):
        part(account)
    account.close()
    used, rights = plane.used(), given(*SCHEDULER)
    assert [str(right) for right in missing(used, rights)] == []
    assert [str(right) for right in unneeded(used, rights)] == []


def test_the_role_for_people_is_enough_to_read_the_cluster(plane: AuditedPlane) -> None:
    give_rights(plane.api(), "batchsched-lease", "batchsched-reader")
    account = Account(plane)
    read(account)
    account.close()
    rights = given("batchsched-reader")
    assert [str(right) for right in missing(plane.used(), rights)] == []
    assert [str(right) for right in unneeded(plane.used(), rights)] == []
