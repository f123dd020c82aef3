"""The layers hold, and the contracts that say so would notice if they did not.

The second half runs the contracts of pyproject.toml on a package of empty layers, with one
forbidden line in it: a contract that is worded too loosely fails here, not a year later.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = [
    "cli",
    "report",
    "kube",
    "sim",
    "daemon",
    "explain",
    "constraints",
    "objectives",
    "solver",
    "plan",
    "feasibility",
    "snapshot",
]
MODULES = ["__main__", "testing", "ageing", "scheduler", "cycle", "profile"]


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in a folder, without a cache."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
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


LAYERS = "The shell imports the core, never the reverse"
PURE = "The core does no I/O, reads no clock, draws no random numbers"
OR_TOOLS = "Only solver/ speaks OR-Tools"
TABLES = "pandas is for tables that people read, and for the traces of the simulator"
API = "Only kube/ speaks to an API server"
RULES = "Rules do not know each other"


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("snapshot/new", "import batchsched.feasibility", LAYERS),
        ("plan/new", "import batchsched.solver", LAYERS),
        ("solver/new", "import batchsched.plan", LAYERS),
        ("solver/new", "import batchsched.constraints", LAYERS),
        ("constraints/new", "import batchsched.objectives", LAYERS),
        ("scheduler", "import batchsched.cycle", LAYERS),
        ("cycle", "import batchsched.scheduler", LAYERS),
        ("sim/new", "import batchsched.kube", LAYERS),
        ("daemon/new", "import batchsched.sim", LAYERS),
        ("sim/new", "import batchsched.report", LAYERS),
        ("testing", "import batchsched.report", LAYERS),
        ("utils", "x = 1", LAYERS),
        ("solver/new", "import time", PURE),
        ("feasibility/new", "from datetime import datetime", PURE),
        ("cycle", "import random", PURE),
        ("profile", "from pathlib import Path", PURE),
        ("scheduler", "import logging", PURE),
        ("plan/new", "import ortools", OR_TOOLS),
        ("cli/new", "from ortools.sat.python import cp_model", OR_TOOLS),
        ("daemon/new", "import kubernetes", API),
        ("cli/new", "import urllib3", API),
        ("objectives/new", "import pandas", TABLES),
        ("daemon/new", "import pandas", TABLES),
        ("constraints/one", "import batchsched.constraints.other", RULES),
        ("objectives/third", "import batchsched.constraints.one", RULES),
    ],
)
def test_a_forbidden_import_is_noticed(
    empty_layers: Path, module: str, line: str, contract: str
) -> None:
    (empty_layers / "batchsched" / f"{module}.py").write_text(f"{line}\n", encoding="utf-8")
    result = contracts(empty_layers)
    assert f"{contract} BROKEN" in result.stdout, result.stdout + result.stderr
    assert result.returncode == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("solver/new", "import ortools"),
        ("report/new", "import pandas"),
        ("sim/new", "import pandas, random, time"),
        ("daemon/new", "import time, logging"),
        ("kube/new", "import time, http.client, kubernetes.config"),
        ("cli/new", "import os, batchsched.report, batchsched.sim"),
        ("constraints/new", "import batchsched.solver, batchsched.plan"),
    ],
)
def test_an_import_that_is_meant_is_let_through(empty_layers: Path, module: str, line: str) -> None:
    (empty_layers / "batchsched" / f"{module}.py").write_text(f"{line}\n", encoding="utf-8")
    result = contracts(empty_layers)
    assert result.returncode == 0, result.stdout + result.stderr
