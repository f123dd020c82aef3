"""Write models/schema: the JSON schemas of what users write and read, taken from the code.

``python -m tests.schema.generate`` writes them; with ``--check`` it changes nothing and says what
is out of date.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from batchsched.daemon.configuration import SchedulerConfiguration
from batchsched.plan.plan import Plan
from batchsched.profile import Profile

FOLDER = Path(__file__).resolve().parents[2] / "models" / "schema"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
MODELS: dict[str, type[BaseModel]] = {
    "configuration.schema.json": SchedulerConfiguration,
    "plan.schema.json": Plan,
    "profile.schema.json": Profile,
}


class _Untitled(GenerateJsonSchema):
    """Leaves out titles, which only say the names of fields again."""

    def field_title_should_be_set(self, _schema: object) -> bool:
        return False


def schema(model: type[BaseModel]) -> str:
    """The schema of a document as its file has it."""
    mode: Literal["serialization", "validation"] = (
        "serialization" if model is Plan else "validation"
    )
    found = model.model_json_schema(by_alias=True, schema_generator=_Untitled, mode=mode)
    return json.dumps({"$schema": DIALECT, **found}, indent=2, ensure_ascii=False) + "\n"


def outdated(folder: Path = FOLDER) -> list[str]:
    """The names of the files that differ from what the code says."""
    wrong = []
    for name, model in MODELS.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != schema(model):
            wrong.append(name)
    return wrong


def main() -> int:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(
        description="JSON schemas of plans, profiles and the configuration"
    )
    parser.add_argument("--check", action="store_true", help="change nothing, fail on drift")
    wrong = outdated()
    if parser.parse_args().check:
        for name in wrong:
            sys.stderr.write(
                f"{FOLDER / name} is out of date: run python -m tests.schema.generate\n"
            )
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in wrong:
        (FOLDER / name).write_text(schema(MODELS[name]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
