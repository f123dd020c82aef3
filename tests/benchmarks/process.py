"""A process of its own for each measurement: its time from start to end, and its peak memory.

The system counts as a process's peak what its parent had when it was started. So a small process
stands between us, who draw large instances, and the one that is measured.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KIB_PER_MIB = 1024


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended: what it printed, how long it took, and how much memory it had."""

    code: int
    output: bytes
    errors: str
    seconds: float
    memory_mib: int


def run(arguments: Sequence[str]) -> Finished:
    """Run ``python -m`` with these arguments, and wait for its end."""
    with tempfile.TemporaryDirectory() as folder:
        usage = Path(folder) / "usage.json"
        command = [sys.executable, "-m", "tests.benchmarks.process", str(usage), *arguments]
        done = subprocess.run(command, check=False, capture_output=True)
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace"))
        errors = done.stderr.decode(errors="replace")
        return Finished(**json.loads(usage.read_text()), output=done.stdout, errors=errors)


def main(usage: str, *arguments: str) -> None:
    """Run and measure; what the process prints is printed, what it used is written to a file."""
    start_s = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", *arguments])
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.monotonic() - start_s
    code = child.returncode = os.waitstatus_to_exitcode(status)
    found = {"code": code, "seconds": seconds, "memory_mib": used.ru_maxrss // KIB_PER_MIB}
    Path(usage).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
