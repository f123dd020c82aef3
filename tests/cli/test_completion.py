"""What a shell, or kubectl, is told while somebody types a command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from batchsched.cli import main
from batchsched.cli.completion import SHELLS, answer_kubectl


def completed(*words: str) -> list[str]:
    """What the script, run by a bash of its own, offers for the last of these words."""
    typed = " ".join(f"'{word}'" for word in words)
    script = (
        'eval "$(batchsched completion bash)"\n'
        f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}\n"
        '_batchsched_completion batchsched; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    result = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", script],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here to ask")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("batchsched", "ex"), ["explain"]),
        (("batchsched", "explain", "--form"), ["--format"]),
        (("batchsched", "why", "ns/p", "--kind", ""), ["pod", "podgroup"]),
        (("batchsched", "completion", ""), ["bash", "zsh", "fish"]),
    ],
)
def test_bash_offers_what_may_come_next(words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(*words) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script_that_asks_the_command(shell: str) -> None:
    printed = CliRunner().invoke(main, ["completion", shell])
    assert printed.exit_code == 0
    assert f"_BATCHSCHED_COMPLETE={shell}_complete" in printed.stdout


@pytest.mark.parametrize("name", ["batchsched", "kubectl-batchsched"])
def test_where_nothing_else_is_known_a_file_is_offered(name: str) -> None:
    asked = {
        "COMP_WORDS": f"{name} solve clu",
        "COMP_CWORD": "2",
        "_BATCHSCHED_COMPLETE": "bash_complete",
    }
    printed = CliRunner().invoke(main, [], prog_name=name, env=asked)
    assert printed.stdout == "file,clu\n"


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["fi"], ["filter\tSay which nodes each pending pod fits, and...", ":4"]),
        (["solve", "--preemption", "l"], ["lower-priority", ":4"]),
        (["solve", "clu"], [":0"]),
    ],
)
def test_kubectl_is_told_in_its_own_words(
    words: list[str],
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-batchsched", *words])
    answer_kubectl()
    assert capsys.readouterr().out.splitlines() == lines
