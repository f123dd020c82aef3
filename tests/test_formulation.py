"""The code and the formulation cite each other: no rule without its §, no § without its rule."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLACEMENT = ROOT / "models" / "placement"
HEADING = re.compile(r"^### ([CO]\d+) (\S+)$", re.MULTILINE)
CITATION = re.compile(r"§\s?([CO]\d+)")
SECTIONS = dict(HEADING.findall((PLACEMENT / "FORMULATION.md").read_text(encoding="utf-8")))
MODULES = [
    path
    for layer in ("constraints", "objectives")
    for path in sorted((ROOT / "batchsched" / layer).glob("*.py"))
    if path.name != "__init__.py"
]


def cited(path: Path) -> set[str]:
    """The sections that a file cites."""
    return set(CITATION.findall(path.read_text(encoding="utf-8")))


def test_sections_are_numbered_without_gaps() -> None:
    constraints = [number for number in SECTIONS if number.startswith("C")]
    objectives = [number for number in SECTIONS if number.startswith("O")]
    assert constraints == [f"C{i}" for i in range(1, 17)]
    assert objectives == [f"O{i}" for i in range(1, 7)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_rule_cites_a_section_that_exists(path: Path) -> None:
    kind = "C" if path.parent.name == "constraints" else "O"
    found = cited(path)
    assert found, "cite the section of models/placement/FORMULATION.md, as in §C5"
    assert found <= SECTIONS.keys()
    assert any(number.startswith(kind) for number in found)


@pytest.mark.parametrize("number", SECTIONS)
def test_a_section_is_cited_by_the_rule_that_says_it(number: str) -> None:
    assert number in set().union(*map(cited, MODULES))


@pytest.mark.parametrize("number", [n for n in SECTIONS if n.startswith("C")])
def test_a_constraint_has_the_name_of_its_section(number: str) -> None:
    path = ROOT / "batchsched" / "constraints" / f"{SECTIONS[number]}.py"
    assert number in cited(path)


@pytest.mark.parametrize("number", SECTIONS)
def test_the_reference_model_says_the_section_too(number: str) -> None:
    model = (PLACEMENT / "placement.mzn").read_text(encoding="utf-8")
    assert re.search(rf"^% .*\b{number}\b", model, re.MULTILINE)


def test_nothing_cites_a_section_that_is_not_there() -> None:
    sources = [path for folder in ("batchsched", "tests") for path in (ROOT / folder).rglob("*.py")]
    wrong = {path.name: sorted(cited(path) - SECTIONS.keys()) for path in sources}
    assert not {name: numbers for name, numbers in wrong.items() if numbers}


def test_models_hold_no_python() -> None:
    assert not list((ROOT / "models").rglob("*.py"))
