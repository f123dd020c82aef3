"""The configuration: what it means, and that a mistake is one line which says what to write."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from batchsched.cycle import Timing
from batchsched.daemon.configuration import (
    _SECTIONS,
    SchedulerConfiguration,
    parse_configuration,
)
from batchsched.profile import named_profiles
from batchsched.snapshot.allowance import Allowance
from batchsched.snapshot.errors import InputError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
HEAD = {"apiVersion": "batchsched.io/v1alpha1", "kind": "SchedulerConfiguration"}


def parsed(**fields: Any) -> SchedulerConfiguration:
    return parse_configuration(yaml.safe_dump({**HEAD, **fields}).encode(), "f.yaml")


def refusal(**fields: Any) -> str:
    with pytest.raises(InputError) as caught:
        parsed(**fields)
    return str(caught.value).removeprefix("f.yaml: SchedulerConfiguration: ")


def test_a_file_that_says_nothing_means_the_defaults() -> None:
    assert parsed() == SchedulerConfiguration()
    assert parsed().timing() == Timing()
    assert parsed().scheduler_names == ("batchsched",)


def test_the_cycle_gets_its_limits_from_it() -> None:
    found = parsed(
        window={"idle": "1s", "max": "1m30s", "maxPods": 7},
        podInitialBackoffSeconds=2,
        podMaxBackoffSeconds=9,
        gang={"completeWithin": "2m", "onPartial": "Complete"},
    )
    assert found.timing() == Timing(
        window_idle_s=1.0,
        window_max_s=90.0,
        window_pods_max=7,
        backoff_first_s=2.0,
        backoff_max_s=9.0,
        gang_complete_within_s=120.0,
        gang_release=False,
    )


def test_a_profile_is_named_or_written_out() -> None:
    found = parsed(
        profiles=[
            {"schedulerName": "b", "profile": "spread", "preemption": "LowerPriority"},
            {"schedulerName": "a", "objectives": [{"name": "packing/spread"}]},
        ]
    )
    named, written = found.profiles
    assert named.rules() == named_profiles()["spread"]
    assert [rule.name for rule in written.rules().objectives] == ["packing/spread"]
    assert (named.allowance, written.allowance) == (Allowance(preemption=True), Allowance())
    assert found.scheduler_names == ("a", "b")


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"leaderElect": True}, "leaderElect: is no field; did you mean leaderElection?"),
    ({"zzz": 1}, "zzz: is no field; there are: ageing, apiVersion, clientConnection,"),
    ({"window": {"idl": "1s"}}, "window.idl: is no field; did you mean idle?"),
    ({"window": {"max": 5}}, "window.max: 5 is no duration; write 500ms, 15s or 1m30s"),
    ({"window": {"idle": "6s"}}, "window: idle is longer than max"),
    ({"window": {"maxPods": "3"}}, 'window.maxPods: "3" is text, but a whole number belongs here'),
    ({"solve": {"timeLimit": "0s"}}, "solve: timeLimit must be more than 0"),
    (
        {"leaderElection": {"leaseDuration": "15.5s"}},
        "leaderElection: leaseDuration must be whole seconds",
    ),
    (
        {"leaderElection": {"leaseDuration": "9s"}},
        "leaderElection: leaseDuration must be longer than renewDeadline",
    ),
    (
        {"leaderElection": {"retryPeriod": "9s"}},
        "leaderElection: renewDeadline must be longer than 1.2 times retryPeriod",
    ),
    ({"podInitialBackoffSeconds": 400}, "podInitialBackoffSeconds is more than"),
    ({"profiles": []}, "profiles: is empty; list at least one"),
    ({"profiles": [{}, {}]}, "profiles: batchsched is there twice"),
    ({"profiles": [{"profile": "best"}]}, 'profiles[0]: "best" is no profile; built in are:'),
    (
        {"profiles": [{"profile": "default", "objectives": []}]},
        "profiles[0]: names a profile and has constraints or objectives as well",
    ),
    (
        {"profiles": [{"objectives": [{"name": "nothing"}]}]},
        "profiles[0]: no objective of the name 'nothing' is installed",
    ),
    ({"profiles": [{"preemption": "never"}]}, 'profiles[0].preemption: "never" is not one of'),
    ({"healthzBindAddress": 80}, 'healthzBindAddress: "80" is no host:port'),
    ({"healthzBindAddress": "::1:80"}, 'healthzBindAddress: "::1:80" is no host:port'),
]


@pytest.mark.parametrize(("fields", "expected"), MISTAKES)
def test_a_mistake_is_told_with_its_path_and_what_to_write(
    fields: dict[str, Any], expected: str
) -> None:
    assert refusal(**fields).startswith(expected)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "f.yaml: holds no object; it starts with `kind: SchedulerConfiguration`"),
        (b"a: [", "f.yaml: is not YAML"),
        (b"kind: Pod", "f.yaml: apiVersion: is missing; write apiVersion: batchsched.io/v1alpha1"),
        (
            b"apiVersion: batchsched.io/v1alpha1\nkind: Pod",
            'f.yaml: kind: is "Pod"; write kind: SchedulerConfiguration',
        ),
    ],
)
def test_what_is_no_configuration_is_told_apart(content: bytes, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_configuration(content, "f.yaml")
    assert str(caught.value).startswith(expected)


def test_an_address_may_be_of_the_sixth_version_or_none() -> None:
    assert parsed(healthzBindAddress="[::]:80").healthz_bind_address == "[::]:80"
    assert not parsed(metricsBindAddress="").metrics_bind_address


def fields(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, object]]:
    """Every field by its path, with its default as the file would say it."""
    for name, info in model.model_fields.items():
        path = f"{before}{info.alias or name}"
        below = _SECTIONS.get(path)
        if below is None:
            yield path, info.default
        else:
            dots = "[]." if path == "profiles" else "."
            yield from fields(below, f"{path}{dots}")


def test_every_field_is_on_the_page_with_its_default() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ")[:2] for line in lines if line.startswith("| `")]
    told = {path.strip("| `"): default.strip("` ") for path, default in rows}
    known = {path: each for path, each in fields(SchedulerConfiguration) if path not in HEAD}
    assert told.keys() == known.keys()
    for path, default in known.items():
        if default is not None:
            plain = str(default).lower() if isinstance(default, bool) else str(default) or '""'
            assert told[path] == plain, path
