"""Every session in README and docs prints, when it is run again, what the page shows."""

from pathlib import Path

import pytest

from tests.docs.sessions import sessions

ROOT = Path(__file__).resolve().parents[2]
PAGES: list[Path] = sessions.pages()


def test_the_readme_holds_a_session() -> None:
    assert ROOT / "README.md" in PAGES


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_shows_what_its_commands_print(page: Path, tmp_path: Path) -> None:
    folder = sessions.folder_like_the_checkout(tmp_path)
    for block in filter(sessions.is_run, sessions.BLOCK.findall(page.read_text("utf-8"))):
        for each in sessions.shown(block):
            printed = sessions.run(each.command, folder)
            assert sessions.agree(each.output, printed), f"$ {each.command}\n{printed}"


@pytest.mark.parametrize(
    ("shown", "printed", "agrees"),
    [
        ("in 0.10 s\n", "in 2.34 s\n", True),
        ("a\nb\n", "a\nc\n", False),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\n", "a\nb\nc\n", True),
        ("a\n...\nd\n", "b\nd\n", False),
        ("1.5 (s)\n", "1x5 (s)\n", False),
    ],
)
def test_timings_and_lines_left_out_are_set_aside_and_nothing_else(
    shown: str, printed: str, *, agrees: bool
) -> None:
    assert sessions.agree(shown, printed) is agrees


@pytest.mark.parametrize(
    ("block", "is_run"),
    [
        ("$ batchsched solve a\n$ sed s/a/b/ c\n", True),
        ("$ make test\n", False),
        ("$ pip install x\n$ batchsched solve a\n", False),
    ],
)
def test_what_needs_another_program_is_not_run(block: str, *, is_run: bool) -> None:
    assert sessions.is_run(block) is is_run


def test_a_block_is_split_into_commands_and_outputs() -> None:
    block = "$ batchsched solve a \\\n>   -o b\none\ntwo\n$ cat b\n"
    assert [(each.command, each.output) for each in sessions.shown(block)] == [
        ("batchsched solve a -o b", "one\ntwo\n"),
        ("cat b", ""),
    ]
