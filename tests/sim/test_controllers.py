"""Jobs make and replace pods, CronJobs make Jobs, as kube-controller-manager does."""

from datetime import UTC, datetime

import pytest

from batchsched.cycle import Binding
from batchsched.daemon.grouping import Grouping
from batchsched.sim.clock import VirtualClock
from batchsched.sim.cluster import START_DELAY_S, SimCluster
from batchsched.sim.controllers import REPLACE_AFTER_S, Controllers, CronTemplate, JobTemplate
from tests.builders import make_node, make_pod, make_snapshot

START = datetime(2026, 1, 5, 20, 0, 30, tzinfo=UTC)
GANG = (("batchsched.io/gang", "owner"),)


@pytest.fixture
def cluster() -> SimCluster:
    return SimCluster(make_snapshot([make_node("n1")]), Grouping(), VirtualClock())


@pytest.fixture
def controllers(cluster: SimCluster) -> Controllers:
    return Controllers(cluster, START)


def job(name: str = "job", parallelism: int = 2, completions: int = 3) -> JobTemplate:
    pod = make_pod("template", cpu=100, pod={"annotations": GANG})
    return JobTemplate("default", name, pod, parallelism, completions, 10.0)


def names(cluster: SimCluster) -> list[str]:
    return sorted(name for _, name in cluster.pods)


def bind(cluster: SimCluster, name: str) -> None:
    pod = cluster.pods["default", name]
    assert cluster.bind(Binding(pod.key, pod.uid, "n1")) is None


def test_a_job_keeps_its_parallelism_until_it_is_complete(
    cluster: SimCluster, controllers: Controllers
) -> None:
    controllers.start_job(job())
    assert names(cluster) == ["job-000", "job-001"]
    bind(cluster, "job-000")
    cluster.clock.advance(START_DELAY_S + 10.0)
    assert names(cluster) == ["job-000", "job-001", "job-002"]
    bind(cluster, "job-001")
    bind(cluster, "job-002")
    cluster.clock.advance(60.0)
    assert not cluster.pods
    assert [each[:2] for each in controllers.finished] == [("default", "job")]


def test_a_deleted_pod_is_replaced_under_another_name(
    cluster: SimCluster, controllers: Controllers
) -> None:
    controllers.start_job(job())
    pod = cluster.pods["default", "job-000"]
    cluster.delete(pod.key, pod.uid, "test")
    cluster.clock.advance(1.0 + REPLACE_AFTER_S)
    assert names(cluster) == ["job-001", "job-002"]


def test_the_pods_of_a_job_are_one_gang_of_those_that_still_run(
    cluster: SimCluster, controllers: Controllers
) -> None:
    controllers.start_job(job(parallelism=3, completions=3))
    (group,) = cluster.snapshot().groups
    assert (group.name, group.min_count) == ("job", 3)
    for number in range(3):
        bind(cluster, f"job-00{number}")
    pod = cluster.pods["default", "job-002"]
    cluster.clock.advance(5.0)
    cluster.delete(pod.key, pod.uid, "test")
    cluster.clock.advance(START_DELAY_S + 10.5)
    (group,) = cluster.snapshot().groups
    assert group.min_count == 1, "two have succeeded: the replacement need not wait for them"


def test_a_cron_job_fires_at_its_times_and_not_after_the_end(
    cluster: SimCluster, controllers: Controllers
) -> None:
    template = JobTemplate("default", "tick", make_pod("template"), 1, 1, 1.0)
    controllers.start_cron(CronTemplate(template, "* * * * *"), until_s=151.0)
    fired = []
    cluster.listeners.append(lambda c: fired.append(cluster.clock.now_s()) if not c.old else None)
    cluster.clock.advance(600.0)
    assert fired == [30.0, 90.0, 150.0]


@pytest.mark.parametrize(("policy", "alive"), [("Allow", 3), ("Forbid", 1), ("Replace", 1)])
def test_a_concurrency_policy_says_what_becomes_of_the_last_job(
    cluster: SimCluster, controllers: Controllers, policy: str, alive: int
) -> None:
    template = JobTemplate("default", "tick", make_pod("template"), 1, 1, 1.0)
    controllers.start_cron(CronTemplate(template, "* * * * *", policy), until_s=200.0)
    cluster.clock.advance(200.0)
    assert len(cluster.pods) == alive


def test_a_suspended_cron_job_never_fires(cluster: SimCluster, controllers: Controllers) -> None:
    template = JobTemplate("default", "tick", make_pod("template"))
    controllers.start_cron(CronTemplate(template, "* * * * *", suspended=True), until_s=200.0)
    assert cluster.clock.next_s() is None
