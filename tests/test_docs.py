"""What is not in the docs fails here: commands, options, links, and the make targets they name.

Options and commands are on the generated page, which has to be current. A page written by hand has
to show each command in use as well: a list of options is no explanation.
"""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import click
import pytest

from batchsched.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BY_HAND = [path for path in PAGES if path.name not in {"cli.md", "CHANGELOG.md"}]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
MAKE = re.compile(r"`make ([a-z-]+)")


def command_named(name: str) -> click.Command:
    """Import a command; that it is in the table and cannot be imported is a failure here too."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return command


def long_options(command: click.Command) -> set[str]:
    """Return the long spellings of a command's options, hidden ones included."""
    return {
        spelling
        for parameter in command.params
        for spelling in [*parameter.opts, *parameter.secondary_opts]
        if spelling.startswith("--")
    }


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """Load the script that writes the generated pages."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_say_what_the_program_says(generator: ModuleType) -> None:
    assert [path.name for path in generator.stale()] == [], "run: make docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_long_option_is_documented(name: str) -> None:
    (page,) = [path for path in PAGES if path.name == "cli.md"]
    section = page.read_text(encoding="utf-8").split(f"## batchsched {name}\n")[1].split("\n## ")[0]
    missing = {option for option in long_options(command_named(name)) if option not in section}
    assert not missing


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    silent = [
        parameter.name
        for parameter in command_named(name).params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert not silent


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_written_by_hand_shows_every_command(name: str) -> None:
    shown = [path for path in BY_HAND if f"batchsched {name}" in path.read_text(encoding="utf-8")]
    assert shown


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = [first or second for first, second in LINK.findall(page.read_text(encoding="utf-8"))]
    files = [target.split("#")[0] for target in targets if "://" not in target]
    assert not [file for file in files if file and not (page.parent / file).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_make_target_that_a_page_names_is_there(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(MAKE.findall(page.read_text(encoding="utf-8")))
    assert not named - set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
