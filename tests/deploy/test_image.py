"""The Dockerfile locks what it installs, runs as nobody in particular, and needs no shell to run.

That its steps work is shown by ``make image-check``, which carries them out.
"""

import json

import pytest

from batchsched import __version__
from tests.deploy.image import DOCKERFILE, ROOT, let_through, stages

RULES = [
    line
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
STAGES = stages(DOCKERFILE.read_text(encoding="utf-8"))
STEPS = [step for stage in STAGES for step in stage.steps]
LAST = dict(STAGES[-1].steps)


def test_steps_are_read_as_docker_reads_them() -> None:
    text = "ARG A\nFROM x AS one\n# no\nRUN a \\\n  b\nFROM y\nCOPY --from=one /a /b\n"
    assert [(stage.name, stage.base, stage.steps) for stage in stages(text)] == [
        ("one", "x", [("RUN", "a b")]),
        ("image", "y", [("COPY", "--from=one /a /b")]),
    ]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("batchsched/cli/run.py", True),
        ("batchsched/cli/__pycache__/run.pyc", False),
        ("requirements/run.lock", True),
        ("requirements/go.lock", False),
        (".git/config", False),
        ("tests/conftest.py", False),
    ],
)
def test_the_context_is_what_the_image_is_made_from(path: str, kept: bool) -> None:  # noqa: FBT001 -- a table
    assert let_through(path, RULES) == kept


def test_everything_that_is_copied_is_in_the_context() -> None:
    for instruction, argument in STEPS:
        if instruction == "COPY" and not argument.startswith("--from="):
            for source in argument.split()[:-1]:
                assert (ROOT / source).exists()
                inside = f"{source}/__init__.py" if (ROOT / source).is_dir() else source
                assert let_through(inside, RULES)


def test_nothing_is_installed_that_has_no_hash_or_was_not_built_here() -> None:
    installs = [argument for _, argument in STEPS if "pip install" in argument]
    assert len(installs) == 3
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)


def test_every_stage_has_the_same_base() -> None:
    assert {stage.base for stage in STAGES} == {"${PYTHON_IMAGE}"}


def test_it_runs_as_no_known_user_and_without_a_shell() -> None:
    assert LAST["USER"] == "65532:65532"
    for instruction in ("ENTRYPOINT", "CMD"):
        assert json.loads(LAST[instruction])
    assert json.loads(LAST["HEALTHCHECK"].partition("CMD ")[2])[0].endswith("/python")


def test_the_image_that_is_named_is_of_this_version() -> None:
    named = [DOCKERFILE, *(ROOT / "deploy").rglob("kustomization.yaml")]
    for text in (path.read_text(encoding="utf-8") for path in named):
        assert text.count("0.1.0.dev0") == text.count(__version__)
    assert f":{__version__} ." in DOCKERFILE.read_text(encoding="utf-8")
