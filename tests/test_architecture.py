"""The layers hold, and the contracts that say so would notice if they did not.

The second half runs the contracts of pyproject.toml on a package of empty layers, with one forbidden
line in it: a contract that is worded too loosely fails here, not a year later.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = (
    "cli report kube sim daemon constraints objectives solver plan feasibility snapshot".split()
)
MODULES = "__main__ testing scheduler cycle profile".split()


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in a folder, without a cache."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def empty_layers(tmp_path: Path, repository: Path) -> Path:
    """Make a package of all layers, none of which holds or imports anything."""
    package = tmp_path / "batchsched"
    for name in PACKAGES:
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").touch()
    for name in ["__init__", *MODULES, "constraints/one", "constraints/other", "objectives/third"]:
        (package / f"{name}.py").touch()
    shutil.copy(repository / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_layers_hold(repository: Path) -> None:
    result = contracts(repository)
    assert result.returncode == 0, result.stdout + result.stderr


def test_empty_layers_break_nothing(empty_layers: Path) -> None:
    result = contracts(empty_layers)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("snapshot/new", "import batchsched.feasibility"),
        ("plan/new", "import batchsched.solver"),
        ("solver/new", "import batchsched.plan"),
        ("solver/new", "import batchsched.constraints"),
        ("constraints/new", "import batchsched.objectives"),
        ("scheduler", "import batchsched.cycle"),
        ("cycle", "import batchsched.scheduler"),
        ("sim/new", "import batchsched.kube"),
        ("daemon/new", "import batchsched.sim"),
        ("sim/new", "import batchsched.report"),
        ("testing", "import batchsched.report"),
        ("constraints/one", "import batchsched.constraints.other"),
        ("objectives/third", "import batchsched.constraints.one"),
        ("plan/new", "import ortools"),
        ("cli/new", "from ortools.sat.python import cp_model"),
        ("solver/new", "import time"),
        ("feasibility/new", "from datetime import datetime"),
        ("cycle", "import random"),
        ("profile", "from pathlib import Path"),
        ("scheduler", "import logging"),
        ("objectives/new", "import pandas"),
        ("daemon/new", "import pandas"),
        ("utils", "x = 1"),
    ],
)
def test_a_forbidden_import_is_noticed(empty_layers: Path, module: str, line: str) -> None:
    (empty_layers / "batchsched" / f"{module}.py").write_text(f"{line}\n", encoding="utf-8")
    result = contracts(empty_layers)
    assert result.returncode == 1, result.stdout + result.stderr
    # Broken by the line, or by the module being there at all; not by a failure of the linter itself.
    assert "BROKEN" in result.stdout or "Missing layer" in result.stdout or "utils" in result.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("solver/new", "import ortools"),
        ("report/new", "import pandas"),
        ("sim/new", "import pandas, random, time"),
        ("daemon/new", "import time, logging"),
        ("cli/new", "import os, batchsched.report, batchsched.sim"),
        ("constraints/new", "import batchsched.solver, batchsched.plan"),
    ],
)
def test_an_import_that_is_meant_is_let_through(
    empty_layers: Path, module: str, line: str
) -> None:
    (empty_layers / "batchsched" / f"{module}.py").write_text(f"{line}\n", encoding="utf-8")
    result = contracts(empty_layers)
    assert result.returncode == 0, result.stdout + result.stderr
