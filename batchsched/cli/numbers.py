"""Numbers on the command line: what click lets pass that is none."""

import math
from typing import Any

import click


class FiniteRange(click.FloatRange):
    """A range of real numbers; ``nan`` and ``inf``, which Python reads as such, are not in it."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 -- click's
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Read a number within the range."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number
