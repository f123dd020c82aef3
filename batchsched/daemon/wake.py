"""What wakes the loop: threads and signals call it, the loop waits for it.

No ``threading.Event``: a signal runs in the main thread between any two of its lines, and one that
sets an event while that thread is inside the event's own lock waits for ever. A simple queue may be
put to from anywhere.
"""

from queue import Empty, SimpleQueue


class Wake:
    """Call it to wake who waits; one call is enough however many there were."""

    def __init__(self) -> None:
        """Nobody has called."""
        self._calls: SimpleQueue[None] = SimpleQueue()

    def __call__(self) -> None:
        """Wake who waits, or who will wait next."""
        self._calls.put(None)

    def wait(self, timeout_s: float) -> None:
        """Wait until somebody calls, or so long; all calls until now are taken in."""
        try:
            self._calls.get(timeout=max(timeout_s, 0.0))
            while True:
                self._calls.get_nowait()
        except Empty:
            return
