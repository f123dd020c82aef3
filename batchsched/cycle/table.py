"""The table: which event is answered how in which state, and where that may lead.

``ROWS`` is the whole of the machine at a glance; docs/cycle.md shows the same table, and a test
compares the two.
"""

from enum import StrEnum
from typing import NamedTuple

from batchsched.cycle.events import (
    BindFailed,
    Bound,
    ClusterChanged,
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


class State(StrEnum):
    """What the process is at."""

    COLLECTING = "Collecting"
    SOLVING = "Solving"
    BINDING = "Binding"
    STANDBY = "Standby"
    """Another process leads: pods are watched, nothing is decided."""


class Row(NamedTuple):
    """In any of ``states`` the event is answered by a method and may lead to other states."""

    event: type
    states: tuple[State, ...]
    answer: str
    leads_to: tuple[State, ...]
    says: str


C, S, B, O = State.COLLECTING, State.SOLVING, State.BINDING, State.STANDBY  # noqa: E741 -- see ROWS
ROWS = (
    Row(PodPending, (C,), "_pod_pending", (S, B), "queue it; solve if the window is full"),
    Row(PodPending, (S, B, O), "_pod_pending", (), "queue it for a later window"),
    Row(PodHeld, (C,), "_pod_held", (S, B), "out of the queue; finish its gang if partial"),
    Row(PodHeld, (S, B, O), "_pod_held", (), "out of the queue"),
    Row(PodGone, (C,), "_pod_gone", (S, B), "forget it; bind who waited for it to leave"),
    Row(PodGone, (S, O), "_pod_gone", (), "forget it; its gang is not bound by this plan"),
    Row(PodGone, (B,), "_pod_gone", (C, S), "forget it; the last answer ends the cycle"),
    Row(ClusterChanged, (C,), "_cluster_changed", (S,), "wake the resting pods"),
    Row(ClusterChanged, (S, B), "_cluster_changed", (), "wake them; this window's need not rest"),
    Row(ClusterChanged, (O,), "_cluster_changed", (), "wake the resting pods"),
    Row(Tick, (C,), "_tick", (S,), "wake pods; close the window; give up on partial gangs"),
    Row(Tick, (S, B, O), "_tick", (), "wake pods whose rest is over"),
    Row(PlanReady, (S,), "_plan_ready", (B, C), "bind what is placed; the others rest"),
    Row(PlanReady, (C,), "_ignored", (S,), "late: ignored"),
    Row(PlanReady, (B, O), "_ignored", (), "late: ignored"),
    Row(SolveFailed, (S,), "_solve_failed", (C, B), "dump the input; the window's pods rest"),
    Row(SolveFailed, (C,), "_ignored", (S,), "late: ignored"),
    Row(SolveFailed, (B, O), "_ignored", (), "late: ignored"),
    Row(Bound, (B,), "_bound", (C, S), "it has its place; the last answer ends the cycle"),
    Row(Bound, (C,), "_bound", (S,), "late: it has its place all the same"),
    Row(Bound, (S, O), "_bound", (), "late: it has its place all the same"),
    Row(BindFailed, (C,), "_bind_failed", (S,), "whose node was kept goes back; else late"),
    Row(BindFailed, (B,), "_bind_failed", (C, S), "its whole gang goes back and rests"),
    Row(BindFailed, (S, O), "_bind_failed", (), "whose node was kept goes back; else late"),
    Row(Nominated, (C,), "_nominated_before", (S, B), "wait for the victims to leave"),
    Row(Nominated, (S, B, O), "_ignored", (), "only told to who starts or wins the lease"),
    Row(Listed, (C,), "_listed", (S, B), "who was there waited long enough: close the window"),
    Row(Listed, (S, B, O), "_ignored", (), "told at the start alone"),
    Row(LostLease, (C, S, B, O), "_lost_lease", (O,), "everybody goes back; bind nothing more"),
    Row(WonLease, (O,), "_won_lease", (C, S), "go on"),
    Row(WonLease, (C,), "_ignored", (S,), "we lead already"),
    Row(WonLease, (S, B), "_ignored", (), "we lead already"),
)
"""``leads_to`` names the states besides the present one. Whatever is told while collecting may come
when a window is due, which then closes: so every row of ``C`` leads to ``S``."""
TABLE = {(state, row.event): row for row in ROWS for state in row.states}
