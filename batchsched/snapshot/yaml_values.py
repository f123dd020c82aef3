"""YAML text to plain values (dict, list, str, int, float, bool, None), the way kubectl reads it.

Built on the parser's events and not on a PyYAML constructor, because that gives dates where
Kubernetes means text, recurses as deep as the input likes, lets aliases multiply, and keeps the
last of two equal keys without a word. Here nothing recurses, everything has a limit, and a plain
scalar means what it means to kubectl (``yes`` is a boolean, ``1e3`` a number, a date is text).
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from batchsched.snapshot.errors import InputError

DEPTH_MAX = 200
ALIASED_VALUES_MAX = 1_000_000
_NUMBER_CHARACTERS_MAX = 400

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_FIRST = frozenset("0123456789+-.~nNtTfFyYoO")
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
for _word in ("y", "yes", "true", "on"):
    _WORDS.update({_word: True, _word.capitalize(): True, _word.upper(): True})
for _word in ("n", "no", "false", "off"):
    _WORDS.update({_word: False, _word.capitalize(): False, _word.upper(): False})
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII)
_STRING, _NULL, _BOOL, _INTEGER, _REAL, _MAP, _SEQ = (
    "tag:yaml.org,2002:" + name for name in ("str", "null", "bool", "int", "float", "map", "seq")
)


def values(text: str) -> Iterator[Any]:
    """Each document of a YAML text, as a plain value; empty documents are ``None``.

    Raises:
        InputError: if it is not YAML, or is YAML that no Kubernetes object can be.
    """
    hint = "; it looks like a template: render it first" if "{{" in text else ""
    try:
        loader = _Loader(text)
        try:
            while loader.check_event():
                if isinstance(loader.peek_event(), yaml.DocumentStartEvent):
                    loader.get_event()
                    yield _Document(loader).value()
                else:
                    loader.get_event()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise InputError(f"not valid YAML: {_problem(error)}{hint}") from None
    except _YAMLValueError as error:
        raise InputError(f"{error}{hint}") from None


class _YAMLValueError(ValueError):
    """YAML that stands for no JSON-like value."""


def _problem(error: yaml.YAMLError) -> str:
    """One line of what the parser said, with the line in the file."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}" if mark else said


class _Document:
    """Builds the value of one document from events, with a stack of open collections."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.aliased = 0
        self.seen = 0
        self.open: list[_Open] = []
        self.root: Any = None

    def value(self) -> Any:
        """Read to the end of the document."""
        while True:
            event = self.loader.get_event()
            kind = event.__class__
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._start(event, mapping=kind is yaml.MappingStartEvent)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentEndEvent:
                return self.root
            else:
                self._end()

    def _scalar(self, event: Any) -> None:
        self.seen += 1
        target = self.open[-1] if self.open else None
        if target is not None and target.wants_key:
            target.take_key(_key(event), event)
            return
        value = _scalar(event)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self._put(value, event)

    def _start(self, event: Any, *, mapping: bool) -> None:
        self.seen += 1
        if event.tag not in {None, "!", _MAP if mapping else _SEQ}:
            raise _refused(event, f"the YAML tag {event.tag} is not used in Kubernetes objects")
        if self.open and self.open[-1].wants_key:
            raise _refused(event, "a key must be text, not a list or a mapping")
        if len(self.open) >= DEPTH_MAX:
            raise _refused(event, f"nested deeper than {DEPTH_MAX} levels")
        if event.anchor:
            self.anchors.pop(event.anchor, None)
        self.open.append(_Open({} if mapping else [], event, self.seen))

    def _end(self) -> None:
        done = self.open.pop()
        if done.merges:
            done.merge()
        if done.event.anchor:
            self.anchors[done.event.anchor] = (done.value, self.seen + self.aliased - done.at + 1)
        self._put(done.value, done.event)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise _refused(event, f"*{event.anchor} refers to nothing that stands before it")
        value, size = self.anchors[event.anchor]
        self.aliased += size
        if self.aliased > ALIASED_VALUES_MAX:
            raise _refused(
                event, f"aliases make more than {ALIASED_VALUES_MAX:,} values of this file"
            )
        target = self.open[-1] if self.open else None
        if target is not None and target.wants_key:
            if not isinstance(value, str):
                raise _refused(event, "a key must be text, not a list or a mapping")
            target.take_key(value, event)
            return
        self._put(value, event)

    def _put(self, value: Any, event: Any) -> None:
        if self.open:
            self.open[-1].take(value, event)
        else:
            self.root = value


class _Open:
    """A list or mapping that is not closed yet."""

    __slots__ = ("at", "event", "is_map", "key", "merges", "value", "wants_key")

    def __init__(self, value: Any, event: Any, at: int) -> None:
        self.value = value
        self.event = event
        self.at = at
        self.is_map = isinstance(value, dict)
        self.wants_key = self.is_map
        self.key = ""
        self.merges: list[Any] = []

    def take_key(self, key: str, event: Any) -> None:
        """Remember the key whose value comes next; two equal ones are an error, as for kubectl."""
        if key in self.value:
            raise _refused(event, f'the key "{key}" is given twice in one mapping')
        self.key = key
        self.wants_key = False

    def take(self, value: Any, event: Any) -> None:
        """Add a finished value."""
        if not self.is_map:
            self.value.append(value)
            return
        self.wants_key = True
        if self.key != "<<":
            self.value[self.key] = value
            return
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise _refused(event, "<< must name a mapping or a list of mappings")
        self.merges.extend(sources)

    def merge(self) -> None:
        """Apply ``<<``: what is written here wins, then the first source that has the key."""
        for source in self.merges:
            for key, value in source.items():
                self.value.setdefault(key, value)


def _key(event: Any) -> str:
    """A key is its own text, whatever type it would resolve to; an empty one is an error."""
    if event.implicit[0] and _WORDS.get(event.value, 0) is None:
        raise _refused(event, "a key is empty")
    text: str = event.value
    return _text(text, event)


def _scalar(event: Any) -> Any:
    """The value of a scalar by its tag, or by the look of it when it is plain."""
    tag, text = event.tag, event.value
    if tag is None or tag == "!":
        plain = tag is None and event.implicit[0]
        if plain and (not text or text[0] in _PLAIN_FIRST):
            return _resolved(text, event)
        return _text(text, event)
    if tag == _STRING:
        return _text(text, event)
    if tag not in {_NULL, _BOOL, _INTEGER, _REAL}:
        raise _refused(event, f"the YAML tag {tag} is not used in Kubernetes objects")
    value = _resolved(text, event)
    if isinstance(value, str):
        raise _refused(event, f'"{text}" does not fit the tag {tag}')
    return value


def _text(text: str, event: Any) -> str:
    """Text that can be written again as UTF-8 (escapes can make halves of characters)."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _refused(event, "text with half a character (a lone surrogate escape)") from None
    return text


def _resolved(text: str, event: Any) -> Any:
    """A plain scalar as go-yaml resolves it."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _NUMBER_CHARACTERS_MAX:
        return text
    if _INT.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else text
    if _NO_NUMBER.fullmatch(text):
        raise _refused(event, f"{text} is no number that JSON has; put it in quotes if it is text")
    return text


def _integer(text: str) -> int | float | str:
    """Decimal, ``0x``, ``0b``, ``0o`` or, as ever, a leading zero for octal."""
    digits = text.replace("_", "")
    bare = digits.lstrip("+-")
    base = {"0x": 16, "0b": 2, "0o": 8}.get(
        bare[:2], 8 if bare[:1] == "0" and len(bare) > 1 else 10
    )
    try:
        value = int(bare[2:] if bare[1:2] in {"x", "b", "o"} else bare, base)
    except ValueError:
        return text
    value = -value if digits.startswith("-") else value
    return value if -(2**63) <= value < 2**64 else float(value)


def _refused(event: Any, what: str) -> _YAMLValueError:
    """The error, with the line it stands on."""
    return _YAMLValueError(f"line {event.start_mark.line + 1}: {what}")
