"""How a command may end: the exit codes that people script against, and what goes with them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from batchsched import __version__
from batchsched.cli import COMMANDS, Commands, main
from batchsched.cli.simulate import POLICIES
from batchsched.sim.policies import SCORES
from batchsched.snapshot.errors import InputError

Ending = Callable[..., Result]


@pytest.fixture
def end_with() -> Ending:
    """Run a command whose body is one action, by the group that decides how a command may end."""

    def run(action: Callable[[], object], *arguments: str) -> Result:
        group = Commands("batchsched", callback=lambda: None, invoke_without_command=True)
        group.callback = action
        return CliRunner().invoke(group, arguments)

    return run


def raising(error: BaseException) -> Callable[[], None]:
    """Return an action that raises."""

    def action() -> None:
        raise error

    return action


def test_a_command_that_returns_nothing_is_done(end_with: Ending) -> None:
    assert end_with(lambda: None).exit_code == 0


def test_a_command_may_return_its_exit_code(end_with: Ending) -> None:
    assert end_with(lambda: 3).exit_code == 3


def test_a_command_may_leave_through_click_or_python(end_with: Ending) -> None:
    assert end_with(lambda: click.get_current_context().exit(3)).exit_code == 3
    assert end_with(lambda: sys.exit(3)).exit_code == 3


def test_bad_input_is_one_line_and_two(end_with: Ending) -> None:
    error = InputError("is -1; give 0 or more", source="a.json", where="Pod x/y", field="spec.q")
    result = end_with(raising(error))
    assert result.exit_code == 2
    assert result.stderr == "Error: a.json: Pod x/y: spec.q: is -1; give 0 or more\n"
    assert result.stdout == ""


def test_a_file_that_cannot_be_opened_is_bad_input(end_with: Ending, tmp_path: Path) -> None:
    result = end_with((tmp_path / "no" / "plan.json").read_text)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path}/no/plan.json: No such file or directory\n"


def test_a_file_of_ours_that_is_missing_is_a_defect(end_with: Ending) -> None:
    ours = Path(sys.modules["batchsched"].__path__[0]) / "missing.html"
    assert end_with(ours.read_text).exit_code == 1


def test_anything_else_is_a_defect_and_asks_to_be_reported(end_with: Ending) -> None:
    result = end_with(raising(ValueError("no row 7")))
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "batchsched has a defect: ValueError: no row 7\nPlease report it" in result.stderr
    assert __version__ in result.stderr


def test_an_interrupt_ends_without_a_traceback(end_with: Ending) -> None:
    result = end_with(raising(KeyboardInterrupt()))
    assert result.exit_code == 130
    assert result.stderr.strip() == "Interrupted"


@pytest.mark.parametrize("arguments", [["solv"], ["--wrong"], ["solve", "--wrong"], []])
def test_wrong_usage_is_two(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert "Traceback" not in result.stderr


def test_the_version_is_the_package_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"batchsched {__version__}\n"


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)])
def test_help_imports_nothing_slow(arguments: list[str]) -> None:
    code = (
        "import sys; from batchsched.cli import main\n"
        f"try: main([*{arguments}, '--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'numpy', 'ortools', 'pandas', 'pydantic', 'rich', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported: {slow}' if slow else 0)"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "Usage: " in result.stdout


def test_help_lists_every_command() -> None:
    listed = CliRunner().invoke(main, ["--help"]).stdout
    assert not [name for name in COMMANDS if f"  {name} " not in listed]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(
    "option", ["solve --time-limit", "simulate --window", "simulate --load", "simulate --span"]
)
def test_a_number_that_is_none_is_bad_usage(option: str, value: str) -> None:
    result = CliRunner().invoke(main, [*option.split(), value, "x.json"])
    assert result.exit_code == 2
    assert "Invalid value" in result.stderr


def test_the_policies_to_choose_from_are_those_that_there_are() -> None:
    assert ("solver", *SCORES) == POLICIES


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_a_reader_that_leaves_ends_the_command_quietly(argument: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "batchsched", argument]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert result.returncode == 141
    assert result.stderr == ""
