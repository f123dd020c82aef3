"""The same pods on the same cluster: where each has a choice, only one of the two chooses right."""

from pathlib import Path

import pytest

from tests.benchmarks.instances.side_by_side import Backlog, gangs, mixed
from tests.benchmarks.parts.side_by_side import SCHEDULERS, placed
from tests.controlplane.fixtures import own_namespace
from tests.controlplane.plane import ControlPlane
from tests.controlplane.scheduling import OURS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("backlog", [mixed(1), gangs(2)], ids=lambda backlog: backlog.name)
def test_kube_scheduler_leaves_pods_that_fit_and_we_leave_none(
    clean_control_plane: ControlPlane, tmp_path: Path, backlog: Backlog
) -> None:
    rows = {}
    for who in ("kube-scheduler", OURS):
        with own_namespace(clean_control_plane.api()) as namespace:
            start = SCHEDULERS[who]
            rows[who] = placed(clean_control_plane, namespace, tmp_path, backlog, who, start)
    theirs, ours = rows["kube-scheduler"], rows[OURS]
    assert ours["left"] == 0
    assert ours["gangs_whole"] == ours["gangs"]
    assert theirs["left"] > 0
