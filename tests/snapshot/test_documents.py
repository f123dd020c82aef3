"""Text in, values out: JSON and YAML as kubectl reads them, and a plain line for anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsched.snapshot.documents import documents
from batchsched.snapshot.errors import InputError


def read(text: str | bytes) -> list[object]:
    return list(documents(text if isinstance(text, bytes) else text.encode()))


def refusal(text: str | bytes) -> str:
    """The line that the user gets; empty if there is none."""
    try:
        read(text)
    except InputError as error:
        return str(error)
    return ""


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_an_input_error(data: bytes) -> None:
    assert "\n" not in refusal(data)


@given(st.text(alphabet="ab:-&*!<>{}[],\"'|\n #%@?", max_size=60))
def test_any_punctuation_is_values_or_an_input_error(text: str) -> None:
    assert "\n" not in refusal(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": 1}', [{"a": 1}]),
        ('\ufeff{"a": 1}', [{"a": 1}]),
        ('{"a": 1}\n{"b": 2}{"c": 3}', [{"a": 1}, {"b": 2}, {"c": 3}]),
        ("{a: b}", [{"a": "b"}]),
        ("a: 1\n---\n# nothing\n---\nb: 2\n---\n", [{"a": 1}, {"b": 2}]),
        ("a: 2024-01-01T00:00:00Z", [{"a": "2024-01-01T00:00:00Z"}]),
        ("a: 1:30", [{"a": "1:30"}]),
        ("a: 1e3", [{"a": 1000.0}]),
        ("a: 010\nb: 0x10\nc: 0b11\nd: 0o17", [{"a": 8, "b": 16, "c": 3, "d": 15}]),
        ("a: yes\nb: No\nc: 'yes'", [{"a": True, "b": False, "c": "yes"}]),
        ("a:\nb: ~\nc: null", [{"a": None, "b": None, "c": None}]),
        ("8080: x\nyes: z", [{"8080": "x", "yes": "z"}]),
        ("a: &x {k: 1}\nb: *x", [{"a": {"k": 1}, "b": {"k": 1}}]),
        ("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}", [{"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}}]),
        ("a: !!str 1\nb: !!int '7'", [{"a": "1", "b": 7}]),
        ("a: |\n  x\n  y\n", [{"a": "x\ny\n"}]),
        ("a: 18446744073709551616", [{"a": 18446744073709551616.0}]),
    ],
)
def test_values_are_those_that_kubectl_sees(text: str, values: list[object]) -> None:
    assert read(text) == values


def test_what_a_windows_shell_redirects_is_read() -> None:
    assert read('{"a": "é"}'.encode("utf-16")) == [{"a": "é"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (" \n\t\n", "is empty"),
        ("# only a comment\n", "holds no object"),
        ('{"a": ', "the file ends early"),
        ('{"a": NaN}', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("- " * 100_000, "nested deeper than 200"),
        ("{a: " * 100_000, "nested deeper than 200"),
        ("a: .nan", "is no number"),
        ("a: 1\nb: 2\na: 3", 'line 3: the key "a" is given twice'),
        ("a: &x [*x]", "refers to nothing"),
        ("a: *nowhere", "refers to nothing"),
        ("a: !!python/object:os.system x", "the YAML tag"),
        ("a: !!binary aGk=", "the YAML tag"),
        ("? [a]\n: b", "a key must be text"),
        ("~: b", "a key is empty"),
        ("count: {{.Count}}", "render it first"),
        ("a: b: c", "line 1"),
        ("a: 'open", "not valid YAML"),
        (b"a: \xff", "UTF-8"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b"a: \x00", "not valid YAML"),
        ('{"a": "\x00"}', "not valid JSON"),
        ('{"a": "\\ud800"}', "not valid JSON"),
        ('a: "\\ud800"', "not valid YAML"),
    ],
)
def test_everything_else_is_refused_with_a_reason(text: str | bytes, says: str) -> None:
    with pytest.raises(InputError) as refused:
        read(text)
    assert says in str(refused.value)
    assert len(str(refused.value)) < 300


def test_aliases_cannot_multiply_beyond_a_limit() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(InputError, match="aliases make more than"):
        read("\n".join(levels))
