"""Makes kinds known that are not Kubernetes' own: the pod groups of coscheduling and of Volcano."""

import http.client
from functools import partial
from pathlib import Path

import yaml

from tests.controlplane.api import Api, ApiError, collection
from tests.controlplane.waiting import wait_for

FOLDER = Path(__file__).with_name("crds")
DEFINITIONS = collection("customresourcedefinitions", group="apiextensions.k8s.io/v1")
KUBERNETES = "scheduling.k8s.io/v1beta1"
COSCHEDULING, VOLCANO = "scheduling.x-k8s.io/v1alpha1", "scheduling.volcano.sh/v1beta1"
POD_GROUPS = (KUBERNETES, COSCHEDULING, VOLCANO)
"""The groups, with their versions, that have a PodGroup."""


def define_pod_groups(api: Api) -> None:
    """Define both, unless they are there, and wait until they are served."""
    for file in sorted(FOLDER.glob("*.yaml")):
        try:
            api.create(DEFINITIONS, yaml.safe_load(file.read_text(encoding="utf-8")))
        except ApiError as error:
            if error.code != http.client.CONFLICT:
                raise
    for group in (COSCHEDULING, VOLCANO):
        wait_for(partial(_is_served, api, collection("podgroups", group=group)))


def _is_served(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except ApiError as error:
        if error.code != http.client.NOT_FOUND and not error.passes:
            raise
        return False
    return True
