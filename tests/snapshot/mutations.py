"""Damage, drawn from a seed: what happens to files on their way, and what people type.

Half of the mutations change a value inside a document that stays well formed; the other half change
its bytes.
"""

import copy
import json
import random
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    -(2**63) - 1,
    1e300,
    "",
    "NaN",
    "-1",
    "-500m",
    "1e999999999",
    "9" * 400,
    "{{.Name}}",
    "a b",
    "..",
    "\x00",
    "é" * 300,
    "Exists",
    "NotAnOperator",
    "true",
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": None},
    {"kind": "List", "items": [{}]},
)
ODD_KEYS = ("", "kind", "items", "metadata", "name", "operator", "matchLabels", "<<", "é")
ODD_BYTES = (
    b"\x00",
    b"\xff",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"\n",
    b"\t",
    b"- ",
    b"&a ",
    b"*a",
)


def mutated(draw: random.Random, data: bytes) -> bytes:
    """One damaged version of a document."""
    for _ in range(4):
        if draw.random() < 0.5:
            return _damaged(draw, data)
        try:
            return _changed(draw, data)
        except ValueError:  # not JSON: bytes it is
            continue
    return _damaged(draw, data)


def _damaged(draw: random.Random, data: bytes) -> bytes:
    """Bytes cut off, lost, doubled or strewn in."""
    at = draw.randrange(len(data) + 1)
    end = min(len(data), at + draw.choice([1, 2, 10, 1000]))
    choice = draw.randrange(5)
    if choice == 0:
        return data[:at]
    if choice == 1:
        return data[:at] + data[end:]
    if choice == 2:
        return data[:at] + data[at:end] + data[at:]
    if choice == 3:
        return data[:at] + draw.choice(ODD_BYTES) + data[at:]
    return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]


def _changed(draw: random.Random, data: bytes) -> bytes:
    """A value of the document replaced, removed, renamed or doubled."""
    root = {"": json.loads(data)}
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        holder, key = draw.choice(_places(root))
        choice = draw.randrange(6)
        if choice == 0:
            del holder[key]
        elif choice == 1 and isinstance(holder, dict):
            holder[draw.choice(ODD_KEYS)] = holder.pop(key)
        elif choice == 2 and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(draw.choice(ODD_VALUES))
        root.setdefault("", None)
    return json.dumps(root[""]).encode()


def _places(root: Any) -> list[tuple[Any, Any]]:
    """Every place where a value stands."""
    found, todo = [], [root]
    while todo:
        holder = todo.pop()
        pairs = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in pairs:
            found.append((holder, key))
            if isinstance(value, (dict, list)):
                todo.append(value)
    return found
