"""Python's garbage collector, kept from looking at lists while they are parsed.

Ten thousand pods are millions of objects without a cycle; looked at again and again while they are
made, they take twice the time. What was made stays, so later collections need not look at it.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()
_inside = 0


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect nothing meanwhile; several threads may be inside at once."""
    global _inside  # noqa: PLW0603 -- there is one collector in a process
    with _LOCK:
        _inside += 1
        gc.disable()
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if not _inside:
                gc.freeze()
                gc.enable()
