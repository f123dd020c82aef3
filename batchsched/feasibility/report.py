"""The filter report: for each pending pod and node, what kube-scheduler's filters would say now."""

from batchsched.feasibility.classes import pod_classes
from batchsched.feasibility.filters import first_reasons
from batchsched.feasibility.scene import make_scene
from batchsched.snapshot.snapshot import Snapshot, Window, holding

Report = dict[str, dict[str, list[str]]]


def filter_report(snapshot: Snapshot, window: Window) -> Report:
    """Ask the filters about every pair, against the pods that are bound and have not ended.

    Returns:
        ``{"namespace/name": {node: [reason, ...]}}`` in the order of pods and nodes, an empty list
        where the pod fits. Pods of one class share their answers.
    """
    fixed = holding(snapshot)
    places = [pod.node for pod in fixed]
    scene = make_scene(snapshot, pod_classes(snapshot, window.pods, {}), fixed, places)
    codes, reasons = first_reasons(scene)
    names = [node.name for node in scene.nodes]
    lists = [list(each) for each in reasons]
    said = {
        pod.full_name: row
        for pods, codes_of in zip(scene.classes, codes.tolist(), strict=True)
        for row in [dict(zip(names, map(lists.__getitem__, codes_of), strict=True))]
        for pod in pods.pods
    }
    return {pod.full_name: said[pod.full_name] for pod in window.pods}
