"""The example plug-in is installed as people install theirs, proven, named by a profile, and run.

What docs/writing-a-rule.md shows of it is what stands in its files.
"""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from batchsched.plan.state import FinalState, Violation
from batchsched.profile import Profile, Rule, constraints_of, objectives_of, parse_profile
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.snapshot import Snapshot, pending
from batchsched.solver.model import Model
from batchsched.testing import make_node, make_pod, snapshot_of, verify_constraint
from tests.docs.sessions import sessions

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "license_limit"
PAGE = ROOT / "docs" / "writing-a-rule.md"
IMAGE = "registry.example.com/solver"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the plug-in alone into a folder, with the locked build tool and no network."""
    source = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("source") / EXAMPLE.name)
    target = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    alone = ("--no-deps", "--no-index", "--no-build-isolation")
    subprocess.run([*pip, *alone, "--target", target, source], cwd=source, check=True)
    return target


@pytest.fixture
def plug_in(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The plug-in where Python, and so its entry points, are looked for."""
    monkeypatch.syspath_prepend(str(site))
    module = importlib.import_module("license_limit")
    yield module
    del sys.modules["license_limit"]


def clusters() -> list[Snapshot]:
    """Clusters that the rule is about: seats taken and free, on known nodes and on lost ones."""
    images = (f"{IMAGE}:9",)
    nodes = [make_node("n1"), make_node("n2", labels={"example.com/cpu": "fast"})]
    waiting = [make_pod("a", images=images), make_pod("b", images=images), make_pod("other")]
    return [
        snapshot_of(*nodes, *waiting),
        snapshot_of(*nodes, *waiting, make_pod("running", node="n1", images=images)),
        snapshot_of(*nodes, *waiting, make_pod("lost", node="n9", images=images)),
        snapshot_of(*nodes, *waiting, make_pod("ended", pod={"phase": "Succeeded"}, images=images)),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seats", range(4))
def test_both_halves_of_the_rule_agree_on_every_placement(plug_in: ModuleType, seats: int) -> None:
    assert verify_constraint(plug_in.LicenseLimit(IMAGE, seats), clusters()) >= 4 * 8


@pytest.mark.slow
def test_both_halves_agree_on_clusters_that_are_not_about_the_rule(plug_in: ModuleType) -> None:
    assert verify_constraint(plug_in.LicenseLimit(IMAGE, 1), problems=20) > 0


@pytest.mark.slow
@pytest.mark.usefixtures("plug_in")
@pytest.mark.parametrize("holders", [1, 2])
def test_a_seat_is_taken_from_a_pod_of_lower_priority(holders: int) -> None:
    """Unless more seats are taken than there are: then whoever holds one is left alone."""
    images = (f"{IMAGE}:9",)
    held = [make_pod(f"held-{i}", node="n1", images=images) for i in range(holders)]
    urgent = make_pod("urgent", images=images, priority=1)
    snapshot = snapshot_of(make_node("n1"), make_node("n2"), *held, urgent)
    given = {"image": IMAGE, "seats": 1}
    profile = Profile(
        constraints=(Rule(name="license_limit", parameters=given),),
        objectives=(
            Rule(
                name="license_on_nodes",
                parameters={"image": IMAGE, "label": "example.com/cpu", "value": "fast"},
            ),
        ),
    )
    window, limits = pending(snapshot), Limits(deterministic=True)
    allowance = Allowance(preemption=True)
    plan = schedule(snapshot, window, profile, limits, lambda: 0.0, allowance=allowance)
    assert [each.name for each in plan.evictions] == (["held-0"] if holders == 1 else [])
    assert len(plan.bindings) == len(plan.evictions)


@pytest.mark.slow
def test_a_half_that_says_something_else_is_noticed(plug_in: ModuleType) -> None:
    class Forgetful(plug_in.LicenseLimit):  # type: ignore[name-defined,misc]
        """Posts one seat too many."""

        def post(self, model: object) -> None:
            plug_in.LicenseLimit(self.image, self.seats + 1).post(model)

    with pytest.raises(AssertionError):
        verify_constraint(Forgetful(IMAGE, 1), clusters())


@dataclass(frozen=True)
class OneOfLabel:
    """Goes by a label, which docs/writing-a-rule.md warns of: at most one such pod is placed."""

    name: str = "one_of_label"

    def post(self, model: Model) -> None:
        mask = np.array([bool(c.pods[0].labels) for c in model.problem.classes], dtype=np.bool_)
        model.add_rows(self.name, 1, [(0, model.cells(mask).columns, 1)], upper=1)

    def check(self, state: FinalState) -> Iterator[Violation]:
        placed = [each for each in state.placed if each.pod.labels]
        if len(placed) > 1:
            yield Violation(self.name, placed[0].pod.full_name, placed[0].node.name, "not alone")


def test_a_rule_may_go_by_a_label_that_no_selector_looks_at() -> None:
    labels = {"licence": "solver"}
    pods = [make_pod("a", labels=labels), make_pod("b", labels=labels), make_pod("c")]
    assert verify_constraint(OneOfLabel(), [snapshot_of(make_node(), *pods)])


@pytest.mark.slow
def test_a_profile_finds_the_plug_in_by_its_entry_points(plug_in: ModuleType) -> None:
    content = yaml.safe_load((EXAMPLE / "profile.yaml").read_text(encoding="utf-8"))
    profile = parse_profile(content, "profile.yaml")
    assert constraints_of(profile)[-1] == plug_in.LicenseLimit(IMAGE, 3)
    assert [each.name for each in objectives_of(profile)][2] == f"license_on_nodes/{IMAGE}"


@pytest.mark.slow
@pytest.mark.usefixtures("plug_in")
def test_a_wrong_parameter_is_one_line_about_the_profile() -> None:
    rule = {"name": "license_limit", "parameters": {"image": IMAGE, "seats": "many"}}
    with pytest.raises(InputError, match=r"mine.yaml: parameters: license_limit: seats is 'many'"):
        parse_profile({"constraints": [rule]}, "mine.yaml")


@pytest.mark.slow
def test_the_session_of_the_page_prints_what_it_shows(site: Path, tmp_path: Path) -> None:
    block = PAGE.read_text(encoding="utf-8").split("```console\n")[1].split("```")[0]
    install, solve = sessions.shown(block)
    assert install.command == f"pip install ./{EXAMPLE.relative_to(ROOT)}"
    folder = sessions.folder_like_the_checkout(tmp_path)
    printed = sessions.run(solve.command, folder, PYTHONPATH=str(site))
    assert sessions.agree(solve.output, printed), printed


@pytest.mark.parametrize("kind", ["python", "toml", "yaml"])
def test_the_page_shows_what_stands_in_the_files(kind: str) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(EXAMPLE.iterdir()))
    there = {line.strip() for line in text.splitlines()}
    for block in PAGE.read_text(encoding="utf-8").split(f"```{kind}\n")[1:]:
        lines = block.split("```")[0].splitlines()
        if "from batchsched.testing import" in lines[0]:
            continue  # the test, of which this file is the longer version
        assert not [line for line in lines if line.strip() and line.strip() not in there]
