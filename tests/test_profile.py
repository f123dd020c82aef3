"""Profiles: the files of models/profiles are the built-in ones; mistakes are told in one line."""

from pathlib import Path

import pytest
import yaml

from batchsched.profile import named_profiles, objectives_of, parse_profile
from batchsched.snapshot.errors import InputError

FILES = sorted((Path(__file__).parent.parent / "models" / "profiles").glob("*.yaml"))


def test_every_built_in_profile_has_a_file_that_says_the_same() -> None:
    from_files = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
    assert {n: parse_profile(c, n) for n, c in from_files.items()} == named_profiles()


def test_placed_pods_and_disruption_lead_in_every_profile() -> None:
    for profile in named_profiles().values():
        assert [o.name for o in objectives_of(profile)][:2] == ["placed", "disruption"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"kind": "Profil"}, "kind"),
        ({"objectives": [{"name": "packing/tetris"}]}, "packing/fewest-nodes"),
        ({"objectives": [{"name": "preferences", "parameters": {"weight": 3}}]}, "weight"),
        ({"constraints": [{"name": "licences"}]}, "no constraint of the name 'licences'"),
        ({"constraints": "licences"}, "constraints"),
    ],
)
def test_a_mistake_in_a_profile_says_what_is_wrong(content: dict[str, object], what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        parse_profile(content, "mine.yaml")
    assert str(caught.value).startswith("mine.yaml: ")
