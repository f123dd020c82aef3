"""The openb traces: the GPU cluster that Alibaba published in 2023, in a folder of one's own.

The files are not part of this project. Where the folder is comes from the environment; where nobody
says, what needs it is left out with a line.
"""

import os
from pathlib import Path

from batchsched.sim.scenario import Scenario
from batchsched.sim.trace import Arrivals, Draw, load_trace

FOLDER = "BATCHSCHED_OPENB"
NODES = "openb_node_list_all_node.csv"
TRACES = ("default", "cpu250", "gpuspec33", "multigpu20")


def folder() -> Path | None:
    """Where the traces are, if they are."""
    named = os.environ.get(FOLDER)
    return Path(named) if named and (Path(named) / NODES).is_file() else None


def scenario(path: Path, trace: str, arrivals: Arrivals, *, seed: int, load: float) -> Scenario:
    """A trace as it is replayed: whole-GPU and CPU pods on all nodes.

    Args:
        path: The folder.
        trace: Which one.
        arrivals: ``backlog``, or ``drawn`` over an hour.
        seed: Of the order, or of the draw.
        load: Drawn: GPUs that pods in flight would ask for at the end, as a multiple of all.
    """
    names = (NODES, f"openb_pod_list_{trace}.csv")
    files = [(name, (path / name).read_bytes()) for name in names]
    return load_trace(files, Draw(arrivals, seed, load, span_s=3600.0))
