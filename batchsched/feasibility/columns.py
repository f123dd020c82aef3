"""Labels as columns: value codes in an array for each key, so a requirement is one comparison.

Asking five thousand nodes (or kinds of pods) for one label each in Python costs milliseconds; a
cluster asks thousands of times. Here a key is turned into an integer column when it is first named.
Knows labels and requirements; must not know what carries them.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from batchsched.snapshot.labels import (
    DOES_NOT_EXIST,
    EXISTS,
    IN,
    NOT_IN,
    LabelSelector,
    Pairs,
    Requirement,
    satisfies,
)

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Key = TypeVar("Key", bound=Hashable)


def distinct(keys: Iterable[Key]) -> tuple[list[Key], IntArray]:
    """The distinct keys in order of appearance, and for each key the index of its kind."""
    index: dict[Key, int] = {}
    of = [index.setdefault(key, len(index)) for key in keys]
    return list(index), np.array(of, dtype=np.int64)


class LabelColumns:
    """The labels of n rows, by key."""

    def __init__(self, rows: Sequence[Pairs]) -> None:
        """Sort the labels by key; codes are made when a key is first asked for."""
        self._size = len(rows)
        self._entries: dict[str, list[tuple[int, str]]] = {}
        for i, labels in enumerate(rows):
            for key, value in labels:
                self._entries.setdefault(key, []).append((i, value))
        self._columns: dict[str, tuple[dict[str, int], IntArray]] = {}
        self._masks: dict[Requirement, BoolArray] = {}

    def column(self, key: str) -> tuple[dict[str, int], IntArray]:
        """The code of each value, and [n] the code of each row, -1 where it lacks the key."""
        if key not in self._columns:
            entries = self._entries.get(key, [])
            codes: dict[str, int] = {}
            of_row = np.full(self._size, -1, dtype=np.int64)
            found = [codes.setdefault(value, len(codes)) for _, value in entries]
            of_row[[i for i, _ in entries]] = found
            self._columns[key] = codes, of_row
        return self._columns[key]

    def satisfying(self, requirement: Requirement) -> BoolArray:
        """[n] whether the row's labels satisfy the requirement."""
        if requirement not in self._masks:
            self._masks[requirement] = self._ask(requirement)
        return self._masks[requirement]

    def selected(self, selector: LabelSelector | None) -> BoolArray:
        """[n] whether a selector matches; ``None`` matches nothing, an empty one everything."""
        if selector is None:
            return np.zeros(self._size, dtype=np.bool_)
        return self.all_of(selector.requirements)

    def all_of(self, requirements: Iterable[Requirement]) -> BoolArray:
        """[n] whether every requirement is satisfied."""
        mask = np.ones(self._size, dtype=np.bool_)
        for requirement in requirements:
            mask &= self.satisfying(requirement)
        return mask

    def _ask(self, requirement: Requirement) -> BoolArray:
        codes, of_row = self.column(requirement.key)
        match requirement.operator:
            case operator if operator in {IN, NOT_IN}:
                wanted = [codes[value] for value in requirement.values if value in codes]
                inside = of_row == wanted[0] if len(wanted) == 1 else np.isin(of_row, wanted)
                return inside if operator == IN else ~inside
            case operator if operator == EXISTS:
                return of_row >= 0
            case operator if operator == DOES_NOT_EXIST:
                return of_row < 0
            case _:
                answers = [satisfies(requirement, {requirement.key: value}) for value in codes]
                return np.array([*answers, False], dtype=np.bool_)[of_row]
