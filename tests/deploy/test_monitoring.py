"""Alerts and the dashboard ask for metrics that there are, and each of them is explained."""

import json
import re
from pathlib import Path

import pytest
import yaml

from batchsched.daemon.metrics import Metrics
from tests.deploy.tools import CHART, Manifest

SHARED = CHART / "shared" / "monitoring"
METRIC = re.compile(r"\b(?:batchsched|scheduler)_[a-z_]+\b")
SUFFIX = re.compile(r"_(?:bucket|count|sum|total)$")
# What others measure: Prometheus itself, the kubelet, kube-state-metrics, the Python client.
FOREIGN = {
    *("up", "container_memory_working_set_bytes", "kube_pod_container_resource_limits"),
    *("process_cpu_seconds_total", "process_resident_memory_bytes"),
}
WORDS = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b(?=[{\s)])|\bup\b(?=\{)")


def alerts() -> list[Manifest]:
    """The alerts, in their order."""
    text = (SHARED / "monitoring.yaml").read_text(encoding="utf-8")
    [rule] = [found for found in yaml.safe_load_all(text) if found["kind"] == "PrometheusRule"]
    return [alert for group in rule["spec"]["groups"] for alert in group["rules"]]


def panels() -> list[Manifest]:
    """The panels of the dashboard that ask something."""
    found = json.loads((SHARED / "dashboard.json").read_text(encoding="utf-8"))
    return [panel for panel in found["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    """All that is asked."""
    asked = [alert["expr"] for alert in alerts()]
    return [*asked, *(target["expr"] for panel in panels() for target in panel["targets"])]


@pytest.fixture(scope="module")
def operations() -> str:
    """The page for operators."""
    page = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
    return page.read_text(encoding="utf-8")


def measured() -> set[str]:
    """The metrics of the program, without the endings that Prometheus adds."""
    return {family.name for family in Metrics(process=False).registry.collect()}


def plain(name: str) -> str:
    """A name as the program has it."""
    return SUFFIX.sub("", name)


def test_every_metric_that_is_asked_for_is_measured() -> None:
    asked = {plain(name) for expression in expressions() for name in METRIC.findall(expression)}
    assert not asked - measured()


def test_every_metric_that_is_measured_is_explained(operations: str) -> None:
    explained = {plain(name) for name in METRIC.findall(operations)}
    assert not measured() - explained


def test_no_metric_is_explained_that_is_not_measured(operations: str) -> None:
    table = operations.partition("## Metrics")[2].partition("\n## ")[0]
    assert not {plain(name) for name in METRIC.findall(table)} - measured()


def test_what_others_measure_is_known_here() -> None:
    names = {name for expression in expressions() for name in WORDS.findall(expression)}
    ours = {name for name in names if METRIC.fullmatch(name)}
    assert names - ours - {"group_left"} == FOREIGN


def test_every_alert_says_what_to_do_on_the_page_that_it_links(operations: str) -> None:
    headings = re.findall(r"^#+ (Batchsched\w+)$", operations, flags=re.MULTILINE)
    assert headings == [alert["alert"] for alert in alerts()]
    for alert in alerts():
        assert alert["annotations"]["runbook_url"].endswith(
            f"docs/operations.md#{alert['alert'].lower()}"
        )
        assert alert["annotations"]["summary"]
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}


def test_panels_lie_beside_and_below_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels()):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
