"""`batchsched run` without a cluster: configurations are checked, and shadows are printed."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from batchsched.cli import main
from batchsched.cli.live import DEFAULT_SCHEDULER, Options, lease_of, profiles_of, rules_of
from batchsched.cli.run import print_shadow
from batchsched.daemon.configuration import SchedulerConfiguration, SchedulerProfile
from batchsched.daemon.shadow import Line, Summary

HEAD = "apiVersion: batchsched.io/v1alpha1\nkind: SchedulerConfiguration\n"


def ran(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(main, ["run", *arguments])
    return found.exit_code, found.output


def test_a_configuration_is_checked_and_summed_up(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(HEAD + "profiles: [{schedulerName: gpu, profile: least-fragmentation}]\n")
    code, output = ran("--check-config", "--config", str(file))
    assert code == 0
    assert output.startswith(
        f"OK: {file}\n  pods of gpu: placed, disruption, then preferences, packing/"
    )


def test_no_file_means_the_defaults() -> None:
    assert ran("--check-config")[1].startswith("OK: all defaults\n  pods of batchsched:")


@pytest.mark.parametrize("more", [["--check-config"], []])
def test_a_mistake_ends_it_before_anything_is_run(tmp_path: Path, more: list[str]) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(HEAD + "windw: {}\n")
    code, output = ran("--config", str(file), *more)
    assert code == 2
    assert output == (
        f"Error: {file}: SchedulerConfiguration: windw: is no field; did you mean window?\n"
    )


def test_a_file_that_is_not_there_is_bad_input() -> None:
    assert ran("--config", "nowhere.yaml") == (
        2,
        "Error: nowhere.yaml: cannot be read: No such file or directory\n",
    )


def test_a_shadow_is_a_table_of_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = (Line("default-scheduler", 98, 3, 40, 0.5), Line("with batchsched", 110, 4, 38, 1.25))
    print_shadow(Summary(120, 4, lines))
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "scheduler"
    cells = [[part.strip() for part in line.split("  ") if part] for line in (first, second)]
    assert cells == [
        ["default-scheduler", "98 of 120", "3 of 4", "40", "0.5 s"],
        ["with batchsched", "110 of 120", "4 of 4", "38", "1.2 s"],
    ]


def test_a_shadow_without_a_file_looks_at_the_default_scheduler() -> None:
    configuration = SchedulerConfiguration(profiles=(SchedulerProfile(scheduler_name="mine"),))
    assert profiles_of(configuration, Options()).keys() == {"mine"}
    found = profiles_of(configuration, Options(dry_run=True, shadows_default=True))
    assert found.keys() == {DEFAULT_SCHEDULER}


def test_two_processes_are_two_candidates_for_one_lease() -> None:
    first, second = (lease_of(SchedulerConfiguration()) for _ in range(2))
    assert (first.namespace, first.name) == ("kube-system", "batchsched")
    assert (first.lease_duration_s, first.renew_deadline_s, first.retry_period_s) == (15, 10.0, 2.0)
    assert first.identity != second.identity


def test_the_rules_of_a_profile_are_made_once() -> None:
    rules = rules_of({"mine": SchedulerProfile(scheduler_name="mine")})
    assert rules("mine") is rules("mine")
