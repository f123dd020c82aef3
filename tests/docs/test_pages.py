"""The pages hang together: all are reachable, decisions fit a page, the plan shown is a plan."""

import re
from pathlib import Path

import pytest

from batchsched.plan.plan import read_plan

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "adr").glob("*.md"))
PAGE_LINES_MAX = 60
LAYERS = [
    path.stem
    for path in sorted((ROOT / "batchsched").iterdir())
    if not path.name.startswith(("_", ".")) and path.suffix in {"", ".py"}
]


def links(page: Path) -> set[Path]:
    """The files that a page links to."""
    targets = re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
    return {(page.parent / target).resolve() for target in targets if "://" not in target}


def test_every_page_is_linked_from_the_index() -> None:
    missing = set(DOCS.rglob("*.md")) - links(DOCS / "index.md") - {DOCS / "index.md"}
    assert not missing, f"link them in docs/index.md: {sorted(map(str, missing))}"


def test_the_readme_leads_to_the_index() -> None:
    assert DOCS / "index.md" in links(ROOT / "README.md")


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_a_page_at_most_and_says_what_follows(decision: Path) -> None:
    text = decision.read_text(encoding="utf-8")
    assert re.match(rf"# {int(decision.stem[:4])}\. ", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= PAGE_LINES_MAX


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.stem[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("layer", LAYERS)
def test_the_architecture_has_a_paragraph_on_every_layer(layer: str) -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert re.search(rf"^\*\*[^*]*`{layer}`[^*]*\*\*", text, re.MULTILINE)


def test_the_plan_on_the_page_of_concepts_is_a_plan() -> None:
    text = (DOCS / "concepts.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    plan = read_plan(block.encode(), "docs/concepts.md")
    shown = set(re.findall(r'"(\w+)":', block.split('"solver"')[0]))
    assert shown <= set(re.findall(r'"(\w+)":', plan.model_dump_json(by_alias=True)))
