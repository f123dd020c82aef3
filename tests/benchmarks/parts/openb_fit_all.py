"""The cheapest nodes for openb: its multigpu20 pods at 150 % of its GPUs, and four shapes to buy.

Claim: a set that places everybody, with a gap of at most 2 % in 60 s.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

from batchsched.profile import default_profile
from batchsched.scheduler import Limits
from batchsched.sim.trace import Draw
from batchsched.snapshot.snapshot import pending
from batchsched.whatif.fitting import fit_all
from batchsched.whatif.shapes import parse_shapes
from tests.benchmarks.instances import openb as traces
from tests.benchmarks.parts import Options, Row

LIMIT_S, LOAD = 60.0, 1.5
SHAPES = (("gpu8", 300, 128, 1024, 8), ("gpu4", 165, 64, 512, 4), ("gpu2", 100, 96, 384, 2))
"""Name, price, cores, GiB, GPUs: a GPU costs about the same in all, the fewer the more cores."""
CPU = {"name": "cpu", "price": 40, "allocatable": {"cpu": 96, "memory": "384Gi", "pods": 256}}


def openb_fit_all(options: Options) -> Iterator[Row]:
    """One backlog of the trace for each seed."""
    path = traces.folder()
    if path is None:
        yield {"name": f"skipped: {traces.FOLDER} does not name a folder with the traces"}
        return
    shapes = parse_shapes([[*map(_entry, SHAPES), CPU]], "shapes")
    for seed in range(options.seeds):
        scenario = traces.scenario(path, "multigpu20", Draw("drawn", seed, LOAD))
        pods = tuple(sorted((each.pod for each in scenario.pods), key=lambda pod: pod.key))
        snapshot = replace(scenario.base, pods=pods)
        limits = Limits(time_limit_s=LIMIT_S, workers=options.workers, seed=seed)
        start_s = time.monotonic()
        fit = fit_all(
            snapshot, pending(snapshot), default_profile(), shapes, limits, time.monotonic
        )
        yield {
            "name": f"openb fit-all, seed {seed}",
            "pods": len(pods),
            "unplaced": len(fit.plan.unplaced),
            "nodes": sum(each.count for each in fit.bought),
            "cost": fit.cost,
            "bound": fit.bound,
            "gap_percent": round(100 * fit.gap, 2),
            "run_s": round(time.monotonic() - start_s, 1),
        }


def _entry(shape: tuple[str, int, int, int, int]) -> dict[str, object]:
    name, price, cores, memory_gib, gpus = shape
    room = {"cpu": cores, "memory": f"{memory_gib}Gi", "nvidia.com/gpu": gpus, "pods": 256}
    return {"name": name, "price": price, "allocatable": room}
