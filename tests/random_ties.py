"""What meets in clusters with everything: gangs tied to each other, and room kept for who waits.

Drawn on top of any random cluster, so that rules which were written apart are tried together.
"""

import json
import random
from dataclasses import replace

from batchsched.snapshot.reservation import Reservation
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.strategies import HOSTNAME, RACK, ZONE, Object

MARK = "gang.scheduling.koordinator.sh"


def tie_gangs(rng: random.Random, objects: list[Object]) -> None:
    """Make some of the pods members of gangs that start only together, each where it likes."""
    pods = [each for each in objects if each["kind"] == "Pod"]
    spaces = sorted({pod["metadata"]["namespace"] for pod in pods})
    names = [(space, name) for space in spaces for name in ("k0", "k1")]
    tied = rng.sample(names, min(len(names), rng.choice([2, 2, 3])))
    for space, name in names:
        own = [pod for pod in pods if pod["metadata"]["namespace"] == space and rng.random() < 0.45]
        own = [pod for pod in own if "schedulingGroup" not in pod["spec"]]
        notes = {f"{MARK}/name": name, f"{MARK}/min-available": str(rng.randint(1, len(own) or 1))}
        key = rng.choice([None, ZONE, RACK, HOSTNAME])
        if key is not None:
            notes[f"batchsched.io/{rng.choice(['required', 'preferred'])}-topology"] = key
        if (space, name) in tied:
            notes[f"{MARK}/groups"] = json.dumps([f"{s}/{n}" for s, n in tied])
        for pod in own:
            pod["metadata"]["annotations"] = dict(notes)


def keep_room(rng: random.Random, snapshot: Snapshot) -> Snapshot:
    """Keep some room for some of those that wait."""
    waiting = pending(snapshot).pods
    if not waiting or not snapshot.nodes:
        return snapshot
    owners = rng.sample(waiting, rng.randint(1, min(2, len(waiting))))
    names = sorted(node.name for node in snapshot.nodes)
    kept = sorted(rng.sample(names, rng.randint(1, min(2, len(names)))))
    made = Reservation(
        pods=tuple(sorted(pod.key for pod in owners)),
        priority=max(pod.spec.priority for pod in owners),
        at_s=1000.0,
        until_s=rng.choice([None, 1000.0, 5000.0]),
        nodes=tuple((n, (("cpu", rng.choice([500, 1000, 2000])), ("pods", 1))) for n in kept),
    )
    return replace(snapshot, reservation=made)
