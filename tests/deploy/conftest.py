"""The fixtures of this folder."""

from tests.deploy.fixtures import chart, kustomize, tools_home

__all__ = ["chart", "kustomize", "tools_home"]
