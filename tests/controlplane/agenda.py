"""Calls that are made later, by a few threads."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

Call = Callable[[], None]


class Agenda:
    """Makes each call when it is due, several at a time.

    Args:
        threads: How many calls at a time.
    """

    def __init__(self, threads: int) -> None:
        self._due: list[tuple[float, int, Call]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = ThreadPoolExecutor(threads)
        self._clock = threading.Thread(target=self._hand_out, daemon=True)
        self._clock.start()

    def after(self, delay_s: float, call: Call) -> None:
        """Note a call for later; calls of the same moment begin in order."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._order), call))
            self._changed.notify()

    def close(self) -> None:
        """Forget what is not due yet, and wait for what is under way."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._clock.join()
        self._threads.shutdown(cancel_futures=True)

    def _hand_out(self) -> None:
        with self._changed:
            while not self._closed:
                wait_s = self._due[0][0] - time.monotonic() if self._due else None
                if wait_s is not None and wait_s <= 0:
                    self._threads.submit(heapq.heappop(self._due)[2])
                else:
                    self._changed.wait(wait_s)
