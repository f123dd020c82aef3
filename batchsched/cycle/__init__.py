"""The cycle: *when* pods are decided. A pure state machine: events in, instructions out.

It knows the nouns of ``snapshot`` and nothing else: no clock (``now_s`` is an argument), no I/O,
no random number, no solver. So "when does a window close" and "what if a bind fails" are tests on
numbers, and the simulator drives the code that runs in production. Kubernetes is the store: a new
cycle that is told of all pods of a cluster goes on where the last one ended.
"""

from batchsched.cycle.events import (
    BindFailed,
    Bound,
    ClusterChanged,
    Event,
    Listed,
    LostLease,
    Nominated,
    PlanReady,
    PodGone,
    PodHeld,
    PodPending,
    SolveFailed,
    Tick,
    WonLease,
)
from batchsched.cycle.instructions import (
    Announce,
    Bind,
    Binding,
    Dump,
    Instruction,
    Preempt,
    Release,
    Requeue,
    Solve,
    Victim,
    Withdraw,
    together,
    victims_by_pod,
)
from batchsched.cycle.machine import Cycle
from batchsched.cycle.members import GroupKey, PodKey
from batchsched.cycle.queue import Place
from batchsched.cycle.table import ROWS, State
from batchsched.cycle.timing import Timing

__all__ = [
    "ROWS",
    "Announce",
    "Bind",
    "BindFailed",
    "Binding",
    "Bound",
    "ClusterChanged",
    "Cycle",
    "Dump",
    "Event",
    "GroupKey",
    "Instruction",
    "Listed",
    "LostLease",
    "Nominated",
    "Place",
    "PlanReady",
    "PodGone",
    "PodHeld",
    "PodKey",
    "PodPending",
    "Preempt",
    "Release",
    "Requeue",
    "Solve",
    "SolveFailed",
    "State",
    "Tick",
    "Timing",
    "Victim",
    "Withdraw",
    "WonLease",
    "together",
    "victims_by_pod",
]
