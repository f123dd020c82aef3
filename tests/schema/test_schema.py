"""The schemas in models/schema say what the code says, in Kubernetes' spelling."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.schema.generate import FOLDER, MODELS, outdated, schema


def test_the_schemas_are_what_the_code_says() -> None:
    assert not outdated(), "run python -m tests.schema.generate"


def test_there_is_no_schema_of_anything_else() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == MODELS.keys()


def test_drift_is_noticed(tmp_path: Path) -> None:
    assert outdated(tmp_path) == list(MODELS)
    for name, model in MODELS.items():
        (tmp_path / name).write_text(schema(model), encoding="utf-8")
    assert not outdated(tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_fields_are_spelled_as_in_kubernetes(name: str) -> None:
    found = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    assert {"apiVersion", "kind"} <= found["properties"].keys()
    assert not [field for field in fields(found) if "_" in field]


def fields(thing: Any) -> list[str]:
    """Every property that a schema names."""
    if isinstance(thing, list):
        return [field for each in thing for field in fields(each)]
    if not isinstance(thing, dict):
        return []
    own = thing.get("properties", {})
    return [*own, *(field for each in thing.values() for field in fields(each))]
