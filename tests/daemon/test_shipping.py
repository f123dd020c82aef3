"""Shipping: what is unpacked is what was packed, however much of it was known already."""

import random

from hypothesis import given
from hypothesis import strategies as st

from batchsched.daemon.shipping import Receiver, Sender
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from batchsched.testing import builders
from batchsched.testing.problems import random_snapshot


def changed(snapshot: Snapshot, rng: random.Random) -> Snapshot:
    """A later snapshot: some pods and nodes are gone, some are others, some are new."""
    other = random_snapshot(rng)
    keep = rng.random()
    nodes = {node.name: node for node in (*snapshot.nodes, *other.nodes) if rng.random() < keep}
    pods = {pod.key: pod for pod in (*snapshot.pods, *other.pods) if rng.random() < keep}
    return builders.snapshot_of(*nodes.values(), *pods.values(), budgets=other.budgets)


@given(st.integers(0, 2**32))
def test_every_snapshot_arrives_as_it_was_sent(seed: int) -> None:
    rng, sender, receiver = random.Random(seed), Sender(), Receiver()
    snapshot = random_snapshot(rng)
    for _ in range(4):
        waiting = pending(snapshot).pods
        overdue = tuple((pod.key,) for pod in waiting if rng.random() < 0.2)
        window = Window(waiting, overdue, rng.random())
        assert receiver.unpack(sender.pack(snapshot, window)) == (snapshot, window)
        snapshot = changed(snapshot, rng)


def test_what_has_not_changed_is_not_sent_again() -> None:
    pods = [builders.make_pod(f"p{i:03}", requests={"cpu": 100}) for i in range(500)]
    snapshot, sender = builders.snapshot_of(*pods, builders.make_node()), Sender()
    window = pending(builders.snapshot_of(*pods[:1]))
    whole = sender.pack(snapshot, window)
    less = builders.snapshot_of(*pods[1:], *snapshot.nodes)
    assert len(sender.pack(less, pending(builders.snapshot_of(pods[1])))) < len(whole) / 20


def test_pods_that_come_later_share_the_spec_of_their_replicas() -> None:
    sender, receiver = Sender(), Receiver()
    first, second = (builders.make_pod(name, requests={"cpu": 100}) for name in ("a", "b"))
    assert first.spec is not second.spec
    receiver.unpack(sender.pack(builders.snapshot_of(first), pending(Snapshot())))
    both = builders.snapshot_of(first, second)
    found, _ = receiver.unpack(sender.pack(both, pending(Snapshot())))
    assert found.pods[0].spec is found.pods[1].spec
