"""The wheel works where the source tree is not: its commands, its types, all of its files.

What is imported from the checkout proves nothing about what people install, so this builds the
wheel and runs it from an empty folder.
"""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from batchsched import __version__
from batchsched.cli import COMMANDS

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command, ask that it succeeds, and return what it printed."""
    environment = {**os.environ, **variables}
    result = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, with the locked build tool and no network."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=repository)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone into a folder; its dependencies are found where they are."""
    folder = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-index", "--target", folder, wheel, cwd=folder)
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path, repository: Path) -> None:
    source = repository / "batchsched"
    expected = {
        path.relative_to(repository).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert "batchsched/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_package_shows_the_readme_as_soon_as_there_is_one(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert ("readme" in project) == (repository / "README.md").exists()


def test_the_installed_package_is_not_the_checkout(site: Path, tmp_path: Path) -> None:
    code = "import batchsched; print(batchsched.__file__)"
    printed = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(site))
    assert Path(printed.strip()).is_relative_to(site)


@pytest.mark.parametrize("name", ["batchsched", "kubectl-batchsched"])
def test_both_names_of_the_command_print_the_version(site: Path, tmp_path: Path, name: str) -> None:
    printed = run(site / "bin" / name, "--version", cwd=tmp_path, PYTHONPATH=str(site))
    assert printed == f"batchsched {__version__}\n"


def test_what_kubectl_asks_for_completions_is_beside_the_plug_in(
    site: Path, tmp_path: Path
) -> None:
    asked = (site / "bin" / "kubectl_complete-batchsched", "completion", "z")
    assert run(*asked, cwd=tmp_path, PYTHONPATH=str(site)) == "zsh\n:4\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_imported_from_the_wheel(
    site: Path, tmp_path: Path, name: str
) -> None:
    module = (sys.executable, "-m", "batchsched")
    printed = run(*module, name, "--help", cwd=tmp_path, PYTHONPATH=str(site))
    assert "Usage: python -m batchsched" in printed
