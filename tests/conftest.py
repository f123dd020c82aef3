"""What holds for all tests: how hard Hypothesis looks, and where the repository is.

No profile sets a deadline: how long an example takes says something about the machine, and what
must be fast is measured in tests/benchmarks.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.controlplane.fixtures"]

# The same run twice gives the same answer in CI; what is new is looked for at night.
settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=2_000)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") == "true" else "default")
)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository: tests may read what the installed package may not."""
    return Path(__file__).resolve().parents[1]
