"""One suite, two worlds: every test here runs in both."""

from collections.abc import Iterator

import pytest

from tests.contract.worlds import KubeWorld, SimWorld, World


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("real", marks=[pytest.mark.controlplane, pytest.mark.slow]),
    ]
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """An empty world."""
    if request.param == "embedded":
        yield SimWorld()
        return
    made = KubeWorld(request.getfixturevalue("cluster"), request.getfixturevalue("namespace"))
    yield made
    made.close()
