"""What kube-scheduler's own filter plugins said, recorded: the same clusters, the same verdicts.

Beside this file stand random small clusters that use every rule, as the API server would serve
them, with the reasons that the default plugins of kube-scheduler 1.36.2 gave for each pending pod
and node (reasons sorted: that of several resources is random there).
"""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from batchsched.feasibility.report import filter_report
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import pending

RECORDED = Path(__file__).with_name("kube-scheduler-1.36.2.jsonl.gz")
CLUSTERS = 85


@cache
def recorded() -> list[dict[str, Any]]:
    """Every cluster with what was said of it."""
    return [json.loads(line) for line in gzip.decompress(RECORDED.read_bytes()).splitlines()]


@pytest.mark.parametrize("number", range(CLUSTERS))
def test_kube_scheduler_says_the_same(number: int) -> None:
    case = recorded()[number]
    snapshot = read([("cluster.json", json.dumps(case["cluster"]).encode())])
    report = filter_report(snapshot, pending(snapshot))
    said = {
        pod: {node: sorted(why) for node, why in nodes.items()} for pod, nodes in report.items()
    }
    assert said == case["verdicts"]


def test_the_recording_is_whole_and_says_both_yes_and_no() -> None:
    cases = recorded()
    verdicts = [w for case in cases for nodes in case["verdicts"].values() for w in nodes.values()]
    assert len(cases) == CLUSTERS
    assert len(verdicts) > 2500
    assert 0.3 < sum(not why for why in verdicts) / len(verdicts) < 0.5
