"""What volumes mean for placement: claims, disks that cannot be shared, in-tree disks as CSI ones.

In-tree volumes of the big clouds are served by CSI drivers; attach limits count the driver and its
handle, so the translation here follows Kubernetes' csi-translation-lib. Rules: VolumeRestrictions,
NodeVolumeLimits.
"""

from batchsched.snapshot.api_pod import PodSpecModel
from batchsched.snapshot.api_volumes import InTreeSources, VolumeSources
from batchsched.snapshot.labels import Labels
from batchsched.snapshot.pod import ClaimRef, Disk

_ZONE_LABELS = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
_REGION_LABELS = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")


def claims(spec: PodSpecModel) -> tuple[ClaimRef, ...]:
    """The claims a pod mounts, in the order of its volumes and as often: VolumeBinding asks so.

    Ephemeral ones are called as their volumes, see ``own_claims``.
    """
    found = []
    for volume in spec.volumes or ():
        if volume is not None and volume.persistent_volume_claim is not None:
            found.append(ClaimRef(volume.persistent_volume_claim.claim_name))
        elif volume is not None and volume.ephemeral is not None:
            found.append(ClaimRef(volume.name or "", ephemeral=True))
    return tuple(found)


def own_claims(pod: str, refs: tuple[ClaimRef, ...]) -> tuple[ClaimRef, ...]:
    """The claims of one pod: an ephemeral volume's claim is called ``<pod>-<volume>``."""
    return tuple(
        ClaimRef(f"{pod}-{ref.name}", ephemeral=True) if ref.ephemeral else ref for ref in refs
    )


def disks(spec: PodSpecModel) -> tuple[Disk, ...]:
    """Inline disks that VolumeRestrictions keeps from being mounted twice on a node."""
    found = [disk for volume in spec.volumes or () if volume is not None for disk in _disk(volume)]
    return tuple(sorted(set(found)))


def _disk(volume: VolumeSources) -> list[Disk]:
    found = []
    if (gce := volume.gce_persistent_disk) is not None:
        found.append(Disk("gcePersistentDisk", (gce.pd_name,), bool(gce.read_only)))
    if (ebs := volume.aws_elastic_block_store) is not None:
        found.append(Disk("awsElasticBlockStore", (ebs.volume_id,)))
    if (iscsi := volume.iscsi) is not None:
        found.append(Disk("iscsi", (iscsi.iqn,), bool(iscsi.read_only)))
    if (rbd := volume.rbd) is not None:
        monitors = tuple(sorted(set(rbd.monitors or ())))
        found.append(Disk("rbd", (rbd.pool or "rbd", rbd.image), bool(rbd.read_only), monitors))
    return found


def inline_volumes(spec: PodSpecModel) -> tuple[tuple[str, str, str], ...]:
    """Inline in-tree disks as (plugin, driver, handle)."""
    found = [translated(volume, {}) for volume in spec.volumes or () if volume is not None]
    return tuple(sorted({volume for volume in found if volume is not None}))


def image_volumes(spec: PodSpecModel) -> list[str]:
    """Images mounted as volumes."""
    every = [volume.image for volume in spec.volumes or () if volume is not None]
    return [image.reference for image in every if image is not None and image.reference]


def translated(source: InTreeSources, labels: Labels) -> tuple[str, str, str] | None:
    """An in-tree disk as (plugin, CSI driver, handle), or ``None`` where it is none.

    Args:
        source: The volume.
        labels: Those of the PersistentVolume, where GCE's handle finds its zone.
    """
    for plugin, driver, handle in _IN_TREE:
        found = handle(source, labels)
        if found is not None:
            return plugin, driver, found
    return None


def _ebs(source: InTreeSources, _: Labels) -> str | None:
    disk = source.aws_elastic_block_store
    return None if disk is None else disk.volume_id.rpartition("/")[2]


def _gce(source: InTreeSources, labels: Labels) -> str | None:
    disk = source.gce_persistent_disk
    return None if disk is None else _gce_handle(disk.pd_name, labels)


def _azure_disk(source: InTreeSources, _: Labels) -> str | None:
    disk = source.azure_disk
    return None if disk is None else disk.disk_uri or ""


def _azure_file(source: InTreeSources, _: Labels) -> str | None:
    share = source.azure_file
    return None if share is None else f"##{share.share_name or ''}#"


def _cinder(source: InTreeSources, _: Labels) -> str | None:
    return None if source.cinder is None else source.cinder.volume_id or ""


def _vsphere(source: InTreeSources, _: Labels) -> str | None:
    disk = source.vsphere_volume
    return None if disk is None else disk.volume_path or ""


def _portworx(source: InTreeSources, _: Labels) -> str | None:
    disk = source.portworx_volume
    return None if disk is None else disk.volume_id or ""


def _gce_handle(disk: str, labels: Labels) -> str:
    """``projects/../zones/../disks/..``, by region where the labels name several zones."""
    zone = next((labels[key] for key in _ZONE_LABELS if labels.get(key)), "")
    if "__" not in zone:
        return f"projects/UNSPECIFIED/zones/{zone or 'UNSPECIFIED'}/disks/{disk}"
    region = next((labels[key] for key in _REGION_LABELS if labels.get(key)), "")
    region = region or zone.partition("__")[0].rpartition("-")[0]
    return f"projects/UNSPECIFIED/regions/{region}/disks/{disk}"


_IN_TREE = (
    ("kubernetes.io/aws-ebs", "ebs.csi.aws.com", _ebs),
    ("kubernetes.io/gce-pd", "pd.csi.storage.gke.io", _gce),
    ("kubernetes.io/azure-disk", "disk.csi.azure.com", _azure_disk),
    ("kubernetes.io/azure-file", "file.csi.azure.com", _azure_file),
    ("kubernetes.io/cinder", "cinder.csi.openstack.org", _cinder),
    ("kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com", _vsphere),
    ("kubernetes.io/portworx-volume", "pxd.portworx.com", _portworx),
)
"""In-tree plugins, the drivers that serve their disks, and how those call a disk."""
