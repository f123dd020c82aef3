"""Parts of the benchmark: each measures one claim, and gives rows of figures under stable names.

A part is a function from ``Options`` to rows. What its figures have to keep to stands in
``limits.toml`` under the names of the rows; parts do not know it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
"""Figures by name; ``name`` says what was measured. Units stand last in a name."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of every part.

    ``instances`` is how many of a kind that comes in hundreds; ``seeds`` how many repetitions of a
    run that depends on its draw; ``folder`` is where files may be left meanwhile.
    """

    folder: Path
    instances: int
    seeds: int
    workers: int = 2


Part: TypeAlias = Callable[[Options], Iterator[Row]]
