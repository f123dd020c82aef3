"""Explanations at size: a planted cause on 1,000 nodes, found, proven, and with what would help.

Claim: the cause is named in all of 500 cases and nothing that could be spared, every help that is
told helps, and 95 % take less than 5 s.
"""

import time
from collections.abc import Iterator

import numpy as np

from batchsched.explain.question import Means
from batchsched.profile import default_profile
from batchsched.scheduler import Limits
from tests.benchmarks.parts import Options, Row
from tests.explain.campaign import cases, explained, faults

CASES, NODES, LOADS = 500, 1000, 3
ANSWER_S, LIMIT_S = 10.0, 5.0
"""As the command has them: for the whole answer, and for one of its decisions."""


def explanations(options: Options) -> Iterator[Row]:
    """One row for all cases, and one for each that has a fault."""
    seconds, cpu_seconds, helps, wrong = [], [], 0, 0
    for case in cases(CASES, NODES, LOADS):
        start_s, start_cpu_s = time.monotonic(), time.process_time()
        means = Means(
            profile=default_profile(),
            limits=Limits(time_limit_s=LIMIT_S, workers=options.workers),
            clock=time.monotonic,
            end_s=start_s + ANSWER_S,
        )
        found = explained(case, means)
        seconds.append(time.monotonic() - start_s)
        cpu_seconds.append(time.process_time() - start_cpu_s)
        helps += len(found.remedies)
        found_faults = list(faults(case, found))
        wrong += bool(found_faults)
        if found_faults:
            yield {"name": f"explain {case.name}", "fault": "; ".join(found_faults)}
    half, most, longest = np.percentile(seconds, [50, 95, 100])
    yield {
        "name": f"explain, {CASES} planted causes on {NODES} nodes",
        "helps": helps,
        "wrong": wrong,
        "median_s": round(float(half), 2),
        "p95_s": round(float(most), 2),
        "p95_cpu_s": round(float(np.percentile(cpu_seconds, 95)), 2),
        "longest_s": round(float(longest), 2),
    }
