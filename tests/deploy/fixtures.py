"""Renderings of deploy/ by the real tools, made when a test asks for them, each once.

Without kustomize and helm (``make renderers``) the tests that ask are skipped; in CI that is a
failure.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.deploy import tools
from tests.deploy.tools import CHART, DEPLOY, Manifest

Render = Callable[[str], list[Manifest]]
RenderChart = Callable[..., list[Manifest]]
NAMESPACE = "batchsched"


@pytest.fixture(scope="session")
def tools_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of kustomize and helm; asking for it asks for them."""
    if not tools.there():
        reason = f"no kustomize and no helm at {tools.folder()}: run make renderers"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def kustomize(tools_home: Path) -> Render:
    """Render a folder of deploy/, such as ``kustomize/overlays/ha``."""

    @cache
    def render(folder: str) -> list[Manifest]:
        return tools.manifests(tools.run("kustomize", ["build", DEPLOY / folder], tools_home))

    return render


@pytest.fixture(scope="session")
def chart(tools_home: Path) -> RenderChart:
    """Render the chart with settings as ``--set`` takes them."""

    @cache
    def render(
        *settings: str, release: str = NAMESPACE, namespace: str = NAMESPACE
    ) -> list[Manifest]:
        given = [argument for setting in settings for argument in ("--set", setting)]
        command = ("template", release, CHART, "--namespace", namespace)
        return tools.manifests(tools.run("helm", (*command, *given), tools_home))

    return render
