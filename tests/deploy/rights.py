"""Rights: those that deploy/ gives, and those that an API server saw in use, as the same values.

``deploy/helm/batchsched/shared/rights/rights.yaml`` is the one list. A right that is used and not
given is a scheduler that does not work; one that is given and never used could only be misused.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.deploy.tools import CHART

RIGHTS = CHART / "shared" / "rights" / "rights.yaml"


class Right(NamedTuple):
    """That something may be done."""

    verb: str
    group: str
    resource: str
    """With its subresource: ``pods/binding``."""
    name: str = ""
    """Of the one object it is about; empty where it is about all, or about none yet."""

    def __str__(self) -> str:
        where = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {where} {self.name}".rstrip()


def given(*roles: str, file: Path = RIGHTS) -> frozenset[Right]:
    """The rights of roles, by their names."""
    documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    by_name = {document["metadata"]["name"]: document["rules"] for document in documents}
    return frozenset(right for role in roles for right in of_rules(by_name[role]))


def of_rules(rules: Iterable[dict[str, Any]]) -> Iterable[Right]:
    """The rights that rules of RBAC give."""
    for rule in rules:
        assert not set(rule) - {"apiGroups", "resources", "resourceNames", "verbs"}
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames", [""]):
                        yield Right(verb, group, resource, name)


def covers(right: Right, use: Right) -> bool:
    """Whether a right allows a use."""
    return right[:3] == use[:3] and right.name in ("", use.name)


def missing(used: Iterable[Right], rights: Iterable[Right]) -> list[Right]:
    """What was done, or tried, that no right allows."""
    rights = list(rights)
    return sorted(use for use in set(used) if not any(covers(right, use) for right in rights))


def unneeded(used: Iterable[Right], rights: Iterable[Right]) -> list[Right]:
    """The rights that nobody used."""
    used = list(used)
    return sorted(right for right in set(rights) if not any(covers(right, use) for use in used))
