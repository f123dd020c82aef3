"""Python's garbage collector, kept from looking at what is made in bulk.

Ten thousand pods are millions of objects without a cycle; looked at again and again while they are
parsed or unpickled, they take twice the time.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()
_inside = 0


@contextmanager
def uncollected(*, lasting: bool) -> Iterator[None]:
    """Collect nothing meanwhile; several threads may be inside at once.

    Args:
        lasting: Whether what is made stays, so that later collections need not look at it either.
    """
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
                if lasting:
                    gc.freeze()
                gc.enable()
