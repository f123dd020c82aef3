"""The scheduler's account: what runs here runs with the rights of deploy/, and no others."""

from pathlib import Path

from tests.controlplane.api import ApiError
from tests.controlplane.plane import ControlPlane
from tests.deploy.audit import ACCOUNT, NAMESPACE, RBAC, give_rights

ROLES = ("batchsched", "batchsched-lease", "batchsched-volumes", "batchsched-gang-release")
LEASE = {"resourceNamespace": NAMESPACE}
"""Of a configuration's ``leaderElection``: the account may use the lease of its own namespace."""


def scheduler_kubeconfig(plane: ControlPlane) -> Path:
    """The account's kubeconfig; its rights are given the first time that a plane is asked."""
    api = plane.api()
    try:
        api.get(f"/apis/{RBAC}/v1/clusterroles/{ROLES[0]}")
    except ApiError as error:
        if error.code != 404:
            raise
        give_rights(api, *ROLES)
    return plane.kubeconfig(ACCOUNT)
