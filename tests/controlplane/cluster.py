"""What tests ask of a cluster, and one that somebody else runs.

A control plane of our own (plane.py) can do more: be restarted, be wiped, run kube-scheduler. A
test that needs no more than this also runs on the cluster of ``BATCHSCHED_TEST_KUBECONFIG``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import yaml

from tests.controlplane.api import Api

ADMIN = "admin"


class Apis:
    """Clients by kubeconfig, so that who started a cluster can close them all."""

    def __init__(self) -> None:
        self._open: dict[Path, Api] = {}

    def of(self, kubeconfig: Path) -> Api:
        """The client of a kubeconfig."""
        if kubeconfig not in self._open:
            self._open[kubeconfig] = Api(kubeconfig)
        return self._open[kubeconfig]

    def close(self) -> None:
        """Close all connections."""
        for api in self._open.values():
            api.close()


def kubeconfig_in(folder: Path, user: str, groups: Sequence[str]) -> Path:
    """Name the file of a user: with other groups he is another."""
    return folder / f"{quote('+'.join([user, *groups]), safe='+')}.kubeconfig"


class Cluster(Protocol):
    """An API server and the credentials for it."""

    @property
    def admin(self) -> Path:
        """The kubeconfig of one who may do everything."""

    def kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Write a kubeconfig for a user, who may do what RBAC says of him and his groups."""

    def api(self, user: str = ADMIN, groups: Sequence[str] = ()) -> Api:
        """Calls of a user, by default of the administrator."""


class RunningCluster:
    """A cluster that was there before the tests.

    Args:
        admin: The kubeconfig of one who may do everything, impersonation included.
        folder: Where kubeconfigs are written.
    """

    def __init__(self, admin: Path, folder: Path) -> None:
        self.admin = admin
        self._folder = folder
        self._apis = Apis()

    def kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Write a kubeconfig for a user: the administrator's, acting as that user."""
        config = yaml.safe_load(self.admin.read_text(encoding="utf-8"))
        for entry in config["users"]:
            acting: dict[str, Any] = {"as": user, "as-groups": [*groups, "system:authenticated"]}
            entry["user"] |= acting
        file = kubeconfig_in(self._folder, user, groups)
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        return file

    def api(self, user: str = ADMIN, groups: Sequence[str] = ()) -> Api:
        """Calls of a user, by default of the administrator."""
        return self._apis.of(self.admin if user == ADMIN else self.kubeconfig(user, groups))

    def close(self) -> None:
        """Close all connections."""
        self._apis.close()
