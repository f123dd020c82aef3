"""The style of the project, as far as a machine can see it: sizes, names, docstrings, the locks.

Each test lists all that offends, so that one run is enough to mend it.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
# Names for places where things end up that nobody thought about.
BANNED_NAMES = re.compile(r"(^|_)(util|utils|helper|helpers|manager|managers|handler|handlers)$")
# Work left undone is fine where an issue knows of it.
LEFT_UNDONE = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b(?!.*#\d+)")

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path for folder in ("batchsched", "tests", "docs") for path in (ROOT / folder).rglob("*.py")
)
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse a file once for all tests."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a file."""
    for found in ast.walk(tree_of(path)):
        if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
            yield found


def name_of(path: Path) -> str:
    """Name a file as one would type it."""
    return path.relative_to(ROOT).as_posix()


def test_there_are_files_to_look_at() -> None:
    assert len(SOURCES) > 5
    assert {path.name for path in LOCKS} == {"dev.lock", "go.lock", "run.lock"}


def test_a_function_fits_a_screen() -> None:
    too_long = [
        f"{name_of(path)}:{function.lineno} {function.name}: {lines} lines"
        for path in SOURCES
        for function in functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not too_long


def test_a_file_holds_one_idea() -> None:
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES
    }
    assert not {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX}


def test_a_module_opens_with_what_it_is() -> None:
    silent = [name_of(path) for path in SOURCES if not ast.get_docstring(tree_of(path))]
    assert not silent


def test_no_file_is_named_for_leftovers() -> None:
    parts = {part for path in SOURCES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert not {part for part in parts if BANNED_NAMES.search(part)}


def test_what_is_left_undone_names_its_issue() -> None:
    undone = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if LEFT_UNDONE.search(line)
    ]
    assert not undone


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_holds_versions_and_hashes_and_no_address(lock: Path) -> None:
    version = re.compile(r"[a-z0-9][a-z0-9.-]*==[^ ]+( ; .+)? \\")
    digest = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?")
    lines = lock.read_text(encoding="utf-8").splitlines()
    assert not [x for x in lines if not version.fullmatch(x) and not digest.fullmatch(x)]


def test_the_locks_hold_all_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    to_run = set(map(distribution, project["project"]["dependencies"]))
    to_develop = to_run | set(map(distribution, project["dependency-groups"]["dev"]))
    locked = {
        path.stem: {
            distribution(line)
            for line in path.read_text(encoding="utf-8").splitlines()
            if not line.startswith(" ")
        }
        for path in LOCKS
    }
    assert not to_run - locked["run"]
    assert not to_develop - locked["dev"]
    assert locked["run"] <= locked["dev"]


def distribution(requirement: str) -> str:
    """Return the name in a requirement, as registries spell it."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()
