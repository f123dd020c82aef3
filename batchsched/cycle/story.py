"""The story of a pod: all that happened to it, bounded, for the question "why does it wait?"."""

from collections import OrderedDict, deque

PodKey = tuple[str, str]


class Stories:
    """The last entries of the last pods; who was spoken of longest ago is forgotten first."""

    def __init__(self, entries_max: int, pods_max: int) -> None:
        """Start empty."""
        self._entries_max, self._pods_max = entries_max, pods_max
        self._stories: OrderedDict[PodKey, deque[tuple[float, str]]] = OrderedDict()

    def tell(self, key: PodKey, now_s: float, what: str) -> None:
        """Add to the story of a pod."""
        story = self._stories.get(key)
        if story is None:
            story = self._stories[key] = deque(maxlen=self._entries_max)
            while len(self._stories) > self._pods_max:
                self._stories.popitem(last=False)
        else:
            self._stories.move_to_end(key)
        story.append((now_s, what))

    def of(self, key: PodKey) -> tuple[tuple[float, str], ...]:
        """The story of a pod, oldest first; empty if nothing is known."""
        return tuple(self._stories.get(key, ()))

    def __len__(self) -> int:
        """How many pods have one."""
        return len(self._stories)
