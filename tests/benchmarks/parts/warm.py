"""Windows that follow each other: seconds and pods, warm against cold, in one run.

A backlog is planned again and again while nothing of it is bound (a dry run, refused bindings), and
from window to window a fiftieth of the pods is replaced by others. Claim: a warm window places no
fewer pods, in the order of tiers, than a cold one in the same time.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean

import numpy as np

from batchsched.plan.plan import Plan
from batchsched.profile import named_profiles
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.benchmarks.instances.backlog import backlog
from tests.benchmarks.parts import Options, Row

STREAMS = ((1_000, 4_000, 2.0), (5_000, 20_000, 5.0))
"""Nodes, pods, and the time limit of each window in seconds."""
CLASSES, WINDOWS = 60, 4
REPLACED_SHARE = 0.02


def warm(options: Options) -> Iterator[Row]:
    """A row for each stream."""
    for nodes, pods, limit_s in STREAMS:
        windows = stream(backlog(nodes, pods, CLASSES), WINDOWS + 1)
        limits = Limits(time_limit_s=limit_s, workers=options.workers)
        before = _planned(next(windows), limits, None)[0]
        cold: list[tuple[Plan, float]] = []
        following: list[tuple[Plan, float]] = []
        for window in windows:
            cold.append(_planned(window, limits, None))
            following.append(_planned(window, limits, before))
            before = following[-1][0]
        yield {"name": f"stream {nodes}x{pods} in {limit_s:g} s"} | compared(cold, following)


def stream(first: Snapshot, windows: int) -> Iterator[Snapshot]:
    """The same cluster, some pending pods of which are replaced each time by pods like others."""
    random, now = np.random.default_rng(1), first
    for number in range(windows):
        yield now
        waiting = [i for i, pod in enumerate(now.pods) if pod.node is None]
        some = max(int(len(waiting) * REPLACED_SHARE), 1)
        pods = list(now.pods)
        for at, like in random.choice(waiting, (some, 2)).tolist():
            name = f"window-{number}-{at:06}"
            pods[at] = replace(now.pods[like], name=name, uid=name)
        now = replace(now, pods=tuple(sorted(pods, key=lambda pod: pod.key)))


def compared(cold: list[tuple[Plan, float]], following: list[tuple[Plan, float]]) -> Row:
    """What a stream comes to: means over its windows, and how often warm was worse."""
    pairs = [(_placed(a), _placed(b)) for (a, _), (b, _) in zip(cold, following, strict=True)]
    cold_s, warm_s = (fmean(took for _, took in plans) for plans in (cold, following))
    return {
        "windows": len(pairs),
        "cold_s": round(cold_s, 2),
        "warm_s": round(warm_s, 2),
        "warm_to_cold": round(warm_s / cold_s, 2),
        "cold_placed": round(fmean(sum(a) for a, _ in pairs), 1),
        "warm_placed": round(fmean(sum(b) for _, b in pairs), 1),
        "better": sum(b > a for a, b in pairs),
        "worse": sum(b < a for a, b in pairs),
    }


def _planned(snapshot: Snapshot, limits: Limits, before: Plan | None) -> tuple[Plan, float]:
    """A plan, and the seconds that it took."""
    profile, start_s = named_profiles()["placed-only"], time.monotonic()
    plan = schedule(snapshot, pending(snapshot), profile, limits, time.monotonic, before=before)
    return plan, time.monotonic() - start_s


def _placed(plan: Plan) -> tuple[int, ...]:
    return tuple(tier.value for tier in plan.tiers if tier.name.startswith("placed/"))
