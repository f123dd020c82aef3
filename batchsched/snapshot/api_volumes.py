"""Where a volume comes from: the sources inside pods and PersistentVolumes. See ``api``."""

from typing import Annotated

from pydantic import Field

from batchsched.snapshot.api import Api, NotEmpty


class PVCSource(Api):
    """``persistentVolumeClaim``."""

    claim_name: NotEmpty


class EphemeralSource(Api):
    """``ephemeral``: a claim of the pod's own."""


class GCEDisk(Api):
    """``gcePersistentDisk``."""

    pd_name: NotEmpty
    read_only: bool | None = None


class EBSDisk(Api):
    """``awsElasticBlockStore``."""

    volume_id: Annotated[NotEmpty, Field(alias="volumeID")]
    read_only: bool | None = None


class ISCSIDisk(Api):
    """``iscsi``."""

    target_portal: str | None = None
    iqn: NotEmpty
    lun: int | None = None
    read_only: bool | None = None


class RBDDisk(Api):
    """``rbd``; in pods ``monitors`` and ``image``."""

    monitors: list[str] | None = None
    image: NotEmpty
    pool: str | None = None
    read_only: bool | None = None


class AzureDisk(Api):
    """``azureDisk``."""

    disk_uri: Annotated[str | None, Field(alias="diskURI")] = None
    disk_name: str | None = None


class AzureFile(Api):
    """``azureFile``."""

    share_name: str | None = None
    secret_name: str | None = None
    secret_namespace: str | None = None


class CinderDisk(Api):
    """``cinder`` and ``portworxVolume``."""

    volume_id: Annotated[str | None, Field(alias="volumeID")] = None


class VsphereDisk(Api):
    """``vsphereVolume``."""

    volume_path: str | None = None


class CSISource(Api):
    """``csi`` of a PersistentVolume."""

    driver: NotEmpty
    volume_handle: str | None = None


class ImageSource(Api):
    """``image``: an OCI image as a volume."""

    reference: str | None = None


class InTreeSources(Api):
    """The sources that Kubernetes translates to CSI drivers."""

    gce_persistent_disk: GCEDisk | None = None
    aws_elastic_block_store: EBSDisk | None = None
    azure_disk: AzureDisk | None = None
    azure_file: AzureFile | None = None
    cinder: CinderDisk | None = None
    vsphere_volume: VsphereDisk | None = None
    portworx_volume: CinderDisk | None = None


class VolumeSources(InTreeSources):
    """One of ``volumes`` of a pod."""

    name: str | None = None
    persistent_volume_claim: PVCSource | None = None
    ephemeral: EphemeralSource | None = None
    iscsi: ISCSIDisk | None = None
    rbd: RBDDisk | None = None
    image: ImageSource | None = None
