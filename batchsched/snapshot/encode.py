"""Nouns back to API objects: a snapshot as a file that every command reads again.

The inverse of ``decode*``, as far as scheduling can tell: what is read from the file is equal to
the snapshot that was written, so a decision of the live scheduler is solved again from it. What no
noun has kept (limits, probes, managed fields) is not there. Merged and defaulted rules stand in the
file as what they became.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import orjson

from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm, Pairs, Requirement
from batchsched.snapshot.pod import OwnerRef, Quantities

Object: TypeAlias = dict[str, Any]
DELETED_AT = "1970-01-01T00:00:00Z"
"""Of what is being deleted it is known that, not since when."""


def api_object(
    api_version: str, kind: str, metadata: Mapping[str, Any], **parts: Mapping[str, Any]
) -> Object:
    """A whole object; parts and metadata without what is empty."""
    found = {name: _filled(part) for name, part in parts.items()}
    return {"apiVersion": api_version, "kind": kind, "metadata": _filled(metadata), **found}


def metadata(  # noqa: PLR0913 -- one argument for each field
    name: str,
    namespace: str = "",
    *,
    uid: str = "",
    labels: Pairs = (),
    annotations: Pairs = (),
    owner: OwnerRef | None = None,
    deleting: bool = False,
    created: str = "",
) -> Object:
    """``metadata``."""
    return {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "labels": dict(labels),
        "annotations": dict(annotations),
        "ownerReferences": [_owner(owner)] if owner else [],
        "creationTimestamp": created,
        "deletionTimestamp": DELETED_AT if deleting else None,
    }


def _owner(owner: OwnerRef) -> Object:
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
    }


def _filled(part: Mapping[str, Any]) -> Object:
    """A part without absent and empty values, which mean the same where this is used."""
    return {
        name: value
        for name, value in part.items()
        if value is not None and value not in ("", [], {})
    }


def amounts(quantities: Quantities) -> dict[str, str]:
    """Quantities as the API writes them."""
    return {name: f"{n}m" if name == "cpu" else str(n) for name, n in quantities}


def expression(requirement: Requirement) -> Object:
    """One expression of any selector."""
    found: Object = {"key": requirement.key, "operator": requirement.operator}
    return {**found, "values": list(requirement.values)} if requirement.values else found


def label_selector(selector: LabelSelector | None) -> Object | None:
    """A label selector; an empty one selects everything, none nothing."""
    if selector is None or not selector.requirements:
        return None if selector is None else {}
    return {"matchExpressions": [expression(each) for each in selector.requirements]}


def node_term(term: NodeSelectorTerm) -> Object:
    """One term of a node selector."""
    found = {"matchExpressions": term.expressions, "matchFields": term.fields}
    return {name: [expression(e) for e in parts] for name, parts in found.items() if parts}


def node_selector(terms: Iterable[NodeSelectorTerm] | None) -> Object | None:
    """A node selector."""
    return None if terms is None else {"nodeSelectorTerms": [node_term(each) for each in terms]}


def present(**parts: Any) -> Object:
    """The parts that are there at all; an empty one is there."""
    return {name: value for name, value in parts.items() if value is not None}


IN_TREE = {
    "kubernetes.io/aws-ebs": ("awsElasticBlockStore", "volumeID"),
    "kubernetes.io/gce-pd": ("gcePersistentDisk", "pdName"),
    "kubernetes.io/azure-disk": ("azureDisk", "diskURI"),
    "kubernetes.io/azure-file": ("azureFile", "shareName"),
    "kubernetes.io/cinder": ("cinder", "volumeID"),
    "kubernetes.io/vsphere-volume": ("vsphereVolume", "volumePath"),
    "kubernetes.io/portworx-volume": ("portworxVolume", "volumeID"),
}
"""In-tree plugins: the source of a volume, and its field that makes the handle."""


def in_tree_source(plugin: str, handle: str) -> Object:
    """The volume source that a plugin's handle was made from."""
    source, field = IN_TREE[plugin]
    if source == "gcePersistentDisk":
        handle = handle.rpartition("/disks/")[2]
    elif source == "azureFile":
        handle = handle.removeprefix("##").removesuffix("#")
    return {source: {field: handle}}


def listed(objects: Iterator[Object]) -> bytes:
    """Objects as a file."""
    return orjson.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
