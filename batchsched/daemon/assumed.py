"""What was decided and not yet shown by a watch: laid over every snapshot until it is.

Without this a slow watch would make the next window give the same room away twice. kube-scheduler
calls it assuming a pod. A pod is assumed on its node from the moment its binding is begun, and
nominated to one from the moment its victims are asked to leave.
"""

from dataclasses import replace

from batchsched.cycle import Binding, PodKey
from batchsched.daemon.ports import Change, NodeChange
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot


class Assumed:
    """Bindings and nominations of ours that the watches have not shown yet."""

    def __init__(self) -> None:
        """Start with none."""
        self._bound: dict[PodKey, tuple[str, str]] = {}
        self._nominated: dict[PodKey, tuple[str, str]] = {}
        self._over: tuple[Snapshot, Snapshot] | None = None

    def bind(self, binding: Binding) -> None:
        """Assume that a pod is on its node."""
        self._bound[binding.pod] = (binding.uid, binding.node)
        self._over = None

    def nominate(self, binding: Binding) -> None:
        """Assume that a node is kept for a pod."""
        self._nominated[binding.pod] = (binding.uid, binding.node)
        self._over = None

    def forget(self, pod: PodKey) -> None:
        """Assume nothing of a pod any more: it was refused, or goes back."""
        self._bound.pop(pod, None)
        self._nominated.pop(pod, None)
        self._over = None

    def keep_nothing(self) -> None:
        """Forget all nominations: another process decides."""
        self._nominated.clear()
        self._over = None

    def shows(self, change: Change) -> bool:
        """Forget a pod when a watch shows where it is, or its end; True if it is as assumed."""
        if isinstance(change, NodeChange):
            return False
        pod = change.new or change.old
        if pod is None or (change.new is not None and pod.node is None):
            return False
        self._nominated.pop(pod.key, None)
        if pod.key not in self._bound:
            return False
        self._over = None
        assumed = self._bound.pop(pod.key)
        return assumed == (pod.uid, pod.node) and not pod.terminal and change.new is not None

    def over(self, snapshot: Snapshot) -> Snapshot:
        """Give the snapshot with the assumed pods on their nodes; the same object for the same."""
        if not self._bound and not self._nominated:
            return snapshot
        if self._over is None or self._over[0] is not snapshot:
            pods = tuple([self._assumed(pod) for pod in snapshot.pods])
            self._over = (snapshot, replace(snapshot, pods=pods))
        return self._over[1]

    def known(self, change: Change) -> Change:
        """Give a change with the pod as we know it to be."""
        if isinstance(change, NodeChange) or change.new is None:
            return change
        return replace(change, new=self._assumed(change.new))

    def _assumed(self, pod: Pod) -> Pod:
        """The pod as we know it to be soon."""
        if pod.node is not None:
            return pod
        uid, node = self._bound.get(pod.key, ("", ""))
        if uid and uid == pod.uid:
            return replace(pod, node=node)
        uid, node = self._nominated.get(pod.key, ("", ""))
        if uid and uid == pod.uid and node != pod.nominated_node:
            return replace(pod, nominated_node=node)
        return pod
