"""What was written and not yet shown by a watch: laid over every snapshot until it is.

Without this a slow watch would make the next window give the same room away twice. kube-scheduler
calls it assuming a pod.
"""

from dataclasses import replace

from batchsched.cycle import Binding, PodKey
from batchsched.daemon.ports import Change, NodeChange
from batchsched.snapshot.snapshot import Snapshot


class Assumed:
    """Bindings and deletions of ours that the watches have not shown yet."""

    def __init__(self) -> None:
        """Start with none."""
        self._nodes: dict[PodKey, tuple[str, str]] = {}
        self._over: tuple[Snapshot, Snapshot] | None = None

    def bound(self, binding: Binding) -> None:
        """Assume a binding that was written."""
        self._nodes[binding.pod] = (binding.uid, binding.node)
        self._over = None

    def shows(self, change: Change) -> bool:
        """Forget a pod when a watch shows where it is, or its end; True if it is as assumed."""
        if isinstance(change, NodeChange):
            return False
        pod = change.new or change.old
        if pod is None or pod.key not in self._nodes or (change.new and pod.node is None):
            return False
        self._over = None
        return (
            self._nodes.pop(pod.key) == (pod.uid, pod.node)
            and not pod.terminal
            and bool(change.new)
        )

    def over(self, snapshot: Snapshot) -> Snapshot:
        """Give the snapshot with the assumed pods on their nodes; the same object for the same."""
        if not self._nodes:
            return snapshot
        if self._over is None or self._over[0] is not snapshot:
            pods = []
            for pod in snapshot.pods:
                uid, node = self._nodes.get(pod.key, ("", ""))
                assumed = pod.node is None and uid == pod.uid and uid
                pods.append(replace(pod, node=node) if assumed else pod)
            self._over = (snapshot, replace(snapshot, pods=tuple(pods)))
        return self._over[1]
