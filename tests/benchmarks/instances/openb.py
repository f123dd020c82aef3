"""The openb traces: the GPU cluster that Alibaba published in 2023, in a folder of one's own.

The files are not part of this project. Where the folder is comes from the environment; where nobody
says, what needs it is left out with a line.
"""

import os
from pathlib import Path

from batchsched.sim.scenario import Scenario
from batchsched.sim.trace import Draw, load_trace

FOLDER = "BATCHSCHED_OPENB"
NODES = "openb_node_list_all_node.csv"
TRACES = ("default", "cpu250", "gpuspec33", "multigpu20")


def folder() -> Path | None:
    """Where the traces are, if they are."""
    named = os.environ.get(FOLDER)
    return Path(named) if named and (Path(named) / NODES).is_file() else None


def scenario(path: Path, trace: str, draw: Draw) -> Scenario:
    """A trace as it is replayed: whole-GPU and CPU pods on all nodes.

    Args:
        path: The folder.
        trace: Which one.
        draw: How its pods arrive.
    """
    names = (NODES, f"openb_pod_list_{trace}.csv")
    files = [(name, (path / name).read_bytes()) for name in names]
    return load_trace(files, draw)
