"""What a user did to an API server, by the server's own audit log.

A control plane that keeps one is started like any other; whoever runs the scheduler on it, under
the rights of deploy/, asks afterwards what was used. That is the proof that the rights are enough,
and none too many:

    with AuditedPlane(program, folder) as plane:
        give_rights(plane.api(), "batchsched", "batchsched-lease")
        ...  # run the scheduler with plane.kubeconfig(ACCOUNT)
        used = plane.used(ACCOUNT)
        assert not missing(used, given(...)) and not unneeded(used, given(...))
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.controlplane.api import Api, collection
from tests.controlplane.plane import ControlPlane
from tests.deploy.rights import RIGHTS, Right

NAMESPACE = "batchsched"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:batchsched"
RBAC = "rbac.authorization.k8s.io"
# Who, what, on what and with which result. Of a watch, its beginning: it may never end.
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [ACCOUNT]}, {"level": "None"}],
}


class AuditedPlane(ControlPlane):
    """A control plane whose API server writes down what the scheduler's account does."""

    @property
    def audit_log(self) -> Path:
        """Lines of JSON."""
        return self.folder / "audit.jsonl"

    def _start(self, name: str, arguments: Sequence[str]) -> None:
        if name == "kube-apiserver":
            policy = self.folder / "audit-policy.json"
            policy.write_text(json.dumps(POLICY), encoding="utf-8")
            audit = [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}"]
            arguments = [*arguments, *audit]
        super()._start(name, arguments)

    def used(self, user: str = ACCOUNT) -> frozenset[Right]:
        """The rights that a user has used so far, or tried to use."""
        if not self.audit_log.exists():
            return frozenset()
        lines = self.audit_log.read_text(encoding="utf-8").splitlines()
        return frozenset(use for line in lines for use in uses(json.loads(line), user))


def uses(event: dict[str, Any], user: str) -> list[Right]:
    """The right that an event tells of; none if it is another's, or about no object of the API."""
    what = event.get("objectRef")
    if event["user"]["username"] != user or not what:
        return []
    part = f"/{what['subresource']}" if "subresource" in what else ""
    # What is created has no name as far as rights go.
    name = "" if event["verb"] == "create" else what.get("name", "")
    return [Right(event["verb"], what.get("apiGroup", ""), what["resource"] + part, name)]


def give_rights(api: Api, *roles: str, account: str = ACCOUNT) -> None:
    """Create roles of deploy/ in an empty cluster, and bind them to the scheduler's account.

    A Role needs its namespace, which is created where it is missing.
    """
    rule_sets = yaml.safe_load_all(RIGHTS.read_text(encoding="utf-8"))
    for role in [document for document in rule_sets if document["metadata"]["name"] in roles]:
        name, namespace = role["metadata"]["name"], role["metadata"].get("namespace")
        if namespace:
            _ensure_namespace(api, namespace)
        plural = role["kind"].lower() + "s"
        binding = {
            "apiVersion": f"{RBAC}/v1",
            "kind": f"{role['kind']}Binding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC, "kind": role["kind"], "name": name},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": account}],
        }
        api.create(collection(plural, namespace, f"{RBAC}/v1"), role)
        bindings = plural.replace("roles", "rolebindings")
        api.create(collection(bindings, namespace, f"{RBAC}/v1"), binding)


def _ensure_namespace(api: Api, name: str) -> None:
    names = {item["metadata"]["name"] for item in api.get(collection("namespaces"))["items"]}
    if name not in names:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        api.create(collection("namespaces"), body)
