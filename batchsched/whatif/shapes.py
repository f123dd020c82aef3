"""Shapes: the nodes that one could buy, what each costs, and how many there are.

The border of a file of the user's, so pydantic; a Node inside is read as one of a snapshot is.
Prices are decimals outside and whole numbers of a common fraction inside, where sums are exact.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from batchsched.snapshot.errors import InputError
from batchsched.snapshot.kinds import decoded
from batchsched.snapshot.node import Node
from batchsched.snapshot.objects import Kind, item
from batchsched.snapshot.refusals import input_error

PODS_PER_NODE = 110
"""What the kubelet allows, where a shape does not say."""
SHAPES_MAX, COPIES_MAX, DECIMALS_MAX = 100, 10_000, 6
PRICE_MAX = 1_000_000
_NODE = Kind("", "v1", "Node")

Price = Annotated[
    Decimal,
    BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value),
    Field(gt=0, le=PRICE_MAX, decimal_places=DECIMALS_MAX),
]


class _ShapeModel(BaseModel):
    """One entry of the file: a Node manifest, or what matters of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=63)]
    price: Price
    max: Annotated[int, Field(ge=0, le=COPIES_MAX)] | None = None
    node: dict[str, Any] | None = None
    allocatable: dict[str, Any] | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    taints: list[dict[str, Any]] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of node that can be had."""

    name: str
    node: Node
    price: Decimal
    count_max: int | None = None
    """How many there are; ``None`` is as many as could help."""


def parse_shapes(documents: Iterable[Any], source: str) -> tuple[Shape, ...]:
    """Read shapes: a list of them, or one a document.

    Raises:
        InputError: One is malformed, two have one name, or there is none.
    """
    entries = [
        entry
        for document in documents
        for entry in (document if isinstance(document, list) else [document])
    ]
    shapes = tuple(_shape(entry, source, number) for number, entry in enumerate(entries))
    names = [shape.name for shape in shapes]
    if not 1 <= len(names) <= SHAPES_MAX:
        raise InputError(f"holds {len(names)} shapes; give 1 to {SHAPES_MAX}", source=source)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"the shape {twice[0]!r} is there twice", source=source)
    return tuple(sorted(shapes, key=lambda shape: shape.name))


def in_whole_numbers(shapes: Sequence[Shape]) -> tuple[dict[str, int], int]:
    """The price of each shape in a common fraction, and how many of these make one."""
    places = max(0, *(-_exponent(shape.price) for shape in shapes))
    scale: int = 10**places
    return {shape.name: int(shape.price * scale) for shape in shapes}, scale


def _exponent(price: Decimal) -> int:
    exponent = price.normalize().as_tuple().exponent
    assert isinstance(exponent, int)  # a finite number, as validated
    return exponent


def _shape(entry: Any, source: str, number: int) -> Shape:  # noqa: ANN401 -- a parsed document
    where = f"shapes[{number}]"
    try:
        model = _ShapeModel.model_validate(entry)
    except ValidationError as error:
        refused = input_error(error)
        raise InputError(refused.what, source=source, where=where, field=refused.field) from None
    if (model.node is None) == (model.allocatable is None):
        raise InputError("give node or allocatable, one of them", source=source, where=where)
    raw = _manifest(model) if model.node is None else _named(model.node, model.name)
    _, node = decoded(item(_NODE, raw, source))
    if not dict(node.allocatable).get("pods"):
        raise InputError("allows no pods", source=source, where=where, field="allocatable.pods")
    return Shape(model.name, node, model.price, model.max)


def _manifest(model: _ShapeModel) -> dict[str, Any]:
    return {
        "metadata": {"name": model.name, "labels": model.labels},
        "spec": {"taints": model.taints},
        "status": {"allocatable": {"pods": PODS_PER_NODE, **(model.allocatable or {})}},
    }


def _named(node: dict[str, Any], name: str) -> dict[str, Any]:
    """A manifest with the shape's name, whatever its own is."""
    metadata = node.get("metadata")
    return {**node, "metadata": {**(metadata if isinstance(metadata, dict) else {}), "name": name}}
