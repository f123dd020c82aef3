"""Workers: the threads in which solvers run beside each other. The core's only threads.

GLOP, SCIP and CP-SAT release Python's lock while they solve, so two of them keep two cores busy.
What a thread is given is immutable or its own; whoever started it takes the answer. With one
worker everything happens in one order.
"""

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

__all__ = ["Future", "ThreadPoolExecutor", "done_of"]

Answer = TypeVar("Answer")


def done_of(futures: Iterable[Future[Answer]]) -> list[Future[Answer]]:
    """Wait until one of them is done; those that are, in the order in which they were given."""
    given = list(futures)
    done = wait(given, return_when=FIRST_COMPLETED).done
    return [future for future in given if future in done]
