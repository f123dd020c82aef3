"""API objects, as far as a scheduler reads them: what all kinds share.

Narrow pydantic models at the border: fields that are not here are ignored, those that are here are
checked as the API server checks them. As in Go, ``null`` is the same as absent, so every field is
optional unless the API server insists on it; types are strict (a label ``yes`` is a boolean and an
error). The models say only what may be written; ``decode*`` says what it means.
"""

from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from batchsched.snapshot.quantities import NANO, QuantityError, nano

OPERATORS_WITH_VALUES = ("In", "NotIn")


class Api(BaseModel):
    """Any part of an API object."""

    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel)


def aliases(model: type[Api]) -> frozenset[str]:
    """The names that the fields of a model have in the API."""
    return frozenset(info.alias or name for name, info in model.model_fields.items())


def refuse(what: str) -> NoReturn:
    """Refuse a value from inside a validator; the path to it is added by the reader."""
    raise PydanticCustomError("refused", "{what}", {"what": what})


def _quantity(value: Any) -> int:
    """A quantity in nanos, not negative."""
    try:
        found = nano(value)
    except QuantityError as error:
        refuse(str(error))
    if found < 0:
        refuse(f"{value} is negative; a quantity must be at least 0")
    return found


def _whole_where_counted(amounts: dict[str, int]) -> dict[str, int]:
    """Extended resources and pods come in whole units."""
    for resource, value in amounts.items():
        if value % NANO and (resource == "pods" or _is_extended(resource)):
            refuse(f"{resource} must be a whole number")
    return amounts


def _is_extended(resource: str) -> bool:
    """Whether it is a resource of some vendor (``nvidia.com/gpu``)."""
    domain, slash, _ = resource.partition("/")
    return bool(slash) and not (domain == "kubernetes.io" or domain.endswith(".kubernetes.io"))


def _nulls_to_text(values: Any) -> Any:
    """``null`` in a map of strings is the empty string."""
    if isinstance(values, dict) and None in values.values():
        return {key: "" if value is None else value for key, value in values.items()}
    return values


NAME_PATTERN = r"^[^\s/%{}.\x00-\x1f\x7f][^\s/%{}\x00-\x1f\x7f]{0,252}$"
"""What an object can be called at all; the full grammar differs from kind to kind."""

Quantity = Annotated[int, BeforeValidator(_quantity)]
Amounts = Annotated[dict[str, Quantity], AfterValidator(_whole_where_counted)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
NotEmpty = Annotated[str, Field(min_length=1)]
StringMap = Annotated[dict[str, str], BeforeValidator(_nulls_to_text)]
Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[int, Field(ge=1, lt=2**31)]


class Owner(Api):
    """One of ``metadata.ownerReferences``."""

    api_version: str | None = None
    kind: str | None = None
    name: str | None = None
    uid: str | None = None
    controller: bool | None = None


class Metadata(Api):
    """``metadata``."""

    name: Name
    namespace: str | None = None
    uid: str | None = None
    labels: StringMap | None = None
    annotations: StringMap | None = None
    owner_references: list[Owner] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class Object(Api):
    """Any whole object; of some kinds only the metadata matters."""

    metadata: Metadata


class LabelRequirementModel(Api):
    """One expression of a label selector."""

    key: NotEmpty
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str] | None = None

    @model_validator(mode="after")
    def _values_fit(self) -> "LabelRequirementModel":
        _check_values(self.operator, self.values or [])
        return self


def _check_values(operator: str, values: list[str]) -> None:
    """In and NotIn need values, Exists and DoesNotExist must have none."""
    if operator in OPERATORS_WITH_VALUES and not values:
        refuse(f"operator {operator} needs at least one value in values")
    if operator in {"Exists", "DoesNotExist"} and values:
        refuse(f"operator {operator} takes no values; remove values")


class LabelSelectorModel(Api):
    """A label selector."""

    match_labels: StringMap | None = None
    match_expressions: list[LabelRequirementModel] | None = None


class NodeRequirementModel(Api):
    """One expression of a node selector."""

    key: NotEmpty
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: list[str] | None = None

    @model_validator(mode="after")
    def _values_fit(self) -> "NodeRequirementModel":
        _check_values(self.operator, self.values or [])
        if self.operator in {"Gt", "Lt"} and len(self.values or []) != 1:
            refuse(f"operator {self.operator} needs exactly one value in values")
        return self


class NodeFieldModel(Api):
    """One expression over a field of a node; there is one field, ``metadata.name``."""

    key: Literal["metadata.name"]
    operator: Literal["In", "NotIn"]
    values: Annotated[list[str], Field(min_length=1, max_length=1)]


class NodeTermModel(Api):
    """One term of a node selector."""

    match_expressions: list[NodeRequirementModel] | None = None
    match_fields: list[NodeFieldModel] | None = None


class NodeSelectorModel(Api):
    """A node selector: terms, one of which must match."""

    node_selector_terms: list[NodeTermModel] | None = None


class ObjectRef(Api):
    """A reference to an object by name."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
