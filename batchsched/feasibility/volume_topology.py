"""Where the volume of a bound claim can be used, as each node sees it (VolumeBinding).

Node affinity of volumes is asked of the node's labels alone: fields are left out, and a term of
nothing but fields matches every node. An in-tree volume on a node whose CSINode says that its
plugin was migrated is the CSI driver's volume there: its zones are those of the driver's topology
key.
"""

from dataclasses import replace
from typing import Protocol

import numpy as np

from batchsched.feasibility.columns import BoolArray
from batchsched.feasibility.scene import Scene
from batchsched.snapshot.labels import IN, NodeSelectorTerm, Pairs, Requirement

_ZONE, _REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
_OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
_OLD_REGION = "failure-domain.beta.kubernetes.io/region"
_TOPOLOGY_KEYS = {
    "kubernetes.io/aws-ebs": "topology.ebs.csi.aws.com/zone",
    "kubernetes.io/cinder": "topology.cinder.csi.openstack.org/zone",
    "kubernetes.io/gce-pd": "topology.gke.io/zone",
}

Terms = tuple[NodeSelectorTerm, ...]


class InTree(Protocol):
    """What decides where a volume can be used: of a PersistentVolume, or cut down to it."""

    @property
    def node_affinity(self) -> Terms | None:
        """Required node affinity."""

    @property
    def in_tree(self) -> str | None:
        """The in-tree plugin, if it is one's."""

    @property
    def labels(self) -> Pairs:
        """Its labels."""


def reaches(scene: Scene, terms: Terms | None) -> BoolArray:
    """[N] whether a volume with this node affinity can be used on the node."""
    if terms is None:
        return scene.terms.any_of(None)
    mask = scene.none()
    for term in terms:
        if term.expressions or term.fields:
            mask = mask | scene.terms.labels.all_of(term.expressions)
    return mask


def usable(scene: Scene, volume: InTree) -> BoolArray:
    """[N] whether the volume of a bound claim can be used on the node."""
    mask = reaches(scene, volume.node_affinity)
    plugin = volume.in_tree
    if plugin not in _TOPOLOGY_KEYS:
        return mask
    migrated = scene.storage.migrated(plugin, scene.nodes)
    if not migrated.any():
        return mask
    terms = translated(volume.node_affinity, volume.labels, _TOPOLOGY_KEYS[plugin])
    return np.where(migrated, reaches(scene, terms), mask)


def translated(terms: Terms | None, labels: Pairs, topology_key: str) -> Terms | None:
    """Node affinity as the CSI driver has it.

    Args:
        terms: The in-tree volume's node affinity.
        labels: The volume's labels: its zones, where the affinity says nothing of them.
        topology_key: The driver's label for zones.
    """
    named = {r.key for term in terms or () for r in term.expressions}
    zones = dict(labels)
    old = _ZONE not in named and (_OLD_ZONE in named or (_ZONE not in zones and _OLD_ZONE in zones))
    zone_key = _OLD_ZONE if old else _ZONE
    renamed = {_OLD_REGION: _REGION} if old else {}
    if _values(terms, zone_key):
        return _renamed(terms, {**renamed, zone_key: topology_key})
    terms = _renamed(terms, renamed)
    values = {zone.strip() for zone in zones.get(zone_key, "").split("__")} - {""}
    if not values:
        return terms
    zone = Requirement(topology_key, IN, tuple(sorted(values)))
    return tuple(
        replace(term, expressions=(*term.expressions, zone))
        for term in terms or (NodeSelectorTerm(),)
    )


def _values(terms: Terms | None, key: str) -> bool:
    """Whether the affinity names values of the key."""
    return any(r.values for term in terms or () for r in term.expressions if r.key == key)


def _renamed(terms: Terms | None, names: dict[str, str]) -> Terms | None:
    """The terms with keys renamed."""
    if terms is None or not names:
        return terms
    return tuple(
        replace(
            term,
            expressions=tuple(
                Requirement(names.get(r.key, r.key), r.operator, r.values) for r in term.expressions
            ),
        )
        for term in terms
    )
