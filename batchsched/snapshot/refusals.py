"""What pydantic refused, as one line for people: the path of the field and a plain sentence."""

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from batchsched.snapshot.errors import InputError, shortened

_KINDS = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "list_type": "a list",
}
_LIMITS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}


def input_error(error: ValidationError, *prefix: str | int) -> InputError:
    """The first refusal of a validation, with its path below ``prefix``."""
    first = error.errors(include_url=False)[0]
    return InputError(_sentence(first), field=path((*prefix, *first["loc"])))


def path(parts: tuple[str | int, ...]) -> str:
    """``("spec", "containers", 0)`` as ``spec.containers[0]``."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part != "[key]":
            plain = part.isidentifier()
            text += f".{part}" if plain else f'["{shortened(part)}"]'
    return text.removeprefix(".")


def _sentence(error: ErrorDetails) -> str:
    """Say what was found and what belongs there."""
    kind, found = error["type"], error.get("input")
    if kind == "missing":
        return _missing(error)
    if kind in _WANTED:
        wanted, hint = _WANTED[kind], _quote_it(kind, found)
        return f"{_shown(found)} is {_kind(found)}, but {wanted} belongs here{hint}"
    if kind in _LIMITS:
        return f"{_shown(found)} must be {_LIMITS[kind].format_map(error['ctx'])}"
    plain = {
        "refused": error["msg"],
        "literal_error": f"{_shown(found)} is not one of {_choices(error)}",
        "string_too_short": "is empty; the API server requires a value",
        "string_pattern_mismatch": _no_name(str(found)),
        "too_short": "is empty; the API server requires an entry",
        "too_long": "has more than one entry",
    }
    return plain.get(kind) or f"{_shown(found)}: {error['msg'].lower()}"


def _missing(error: ErrorDetails) -> str:
    """A field that must be there is not; the name has a special story."""
    found = error.get("input")
    if error["loc"][-1] == "name" and isinstance(found, dict) and "generateName" in found:
        return "is missing, there is only generateName; write the name it has in the cluster"
    return "is missing; the API server requires it"


def _no_name(name: str) -> str:
    """Why something cannot be the name of an object."""
    if not name:
        return "is empty; every object needs a name"
    if "{{" in name or "${" in name:
        return f"{_shown(name)} looks like a template: render it first"
    return f'{_shown(name)} cannot be a name; use lower-case letters, digits, "-" and "."'


def _choices(error: ErrorDetails) -> str:
    """The values that a field may have."""
    expected = str(error.get("ctx", {}).get("expected", ""))
    return expected.replace(" or ", ", ").replace("'", "").removesuffix(", ")


def _kind(found: Any) -> str:
    return "null" if found is None else _KINDS.get(type(found), "something else")


def _quote_it(kind: str, found: Any) -> str:
    """The usual reason for a number where text belongs is a missing pair of quotes."""
    return (
        "; put it in quotes"
        if kind == "string_type" and isinstance(found, (bool, int, float))
        else ""
    )


def _shown(found: Any) -> str:
    """A value, as short as it can be recognised."""
    if found is None or isinstance(found, (dict, list)):
        return "this"
    if isinstance(found, bool):
        return "true" if found else "false"
    return f'"{shortened(found)}"' if isinstance(found, str) else shortened(str(found))
