"""Quantities are read exactly, rounded up once, and refused where the API server refuses them."""

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsched.snapshot.quantities import NANO, NANO_MAX, UNITS_MAX, QuantityError, amount, nano

MULTIPLIERS = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
}
EXPONENTS = st.builds(
    lambda letter, sign, size: f"{letter}{sign}{size}",
    st.sampled_from("eE"),
    st.sampled_from(["", "+", "-"]),
    st.integers(0, 30),
)
NUMBERS = st.from_regex(r"[0-9]{1,25}(\.[0-9]{0,25})?", fullmatch=True)


def exact(number: str, suffix: str) -> Fraction:
    """What a quantity stands for, by other means than the code's."""
    if suffix[1:] and suffix not in MULTIPLIERS:
        return Fraction(Decimal(number)) * Fraction(Decimal(f"1{suffix}"))
    return Fraction(Decimal(number)) * MULTIPLIERS[suffix]


@given(NUMBERS, st.one_of(st.sampled_from(sorted(MULTIPLIERS)), EXPONENTS))
def test_every_quantity_is_exact_to_the_nano_and_rounded_up(number: str, suffix: str) -> None:
    assert nano(number + suffix) == min(ceil(exact(number, suffix) * NANO), NANO_MAX)


@given(NUMBERS, st.sampled_from(sorted(MULTIPLIERS)))
def test_a_minus_sign_makes_it_negative(number: str, suffix: str) -> None:
    assert nano(f"-{number}{suffix}") == -nano(number + suffix)


@given(st.text(alphabet="0123456789.+-eEinumkKMGTP", max_size=12))
def test_whatever_is_written_is_a_number_or_refused(text: str) -> None:
    with suppress(QuantityError):
        assert isinstance(nano(text), int)


@pytest.mark.parametrize(
    ("text", "milli"),
    [
        ("1", 1000),
        ("1.5", 1500),
        ("0.0001", 1),
        ("1u", 1),
        ("100m", 100),
        ("1e-3", 1),
        ("1E0", 1000),
        ("+2", 2000),
        ("007", 7000),
        ("1n", 1),
        ("0", 0),
    ],
)
def test_cpu_is_counted_in_milli_cores(text: str, milli: int) -> None:
    assert amount("cpu", nano(text)) == milli


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 3 * 2**29),
        ("100M", 10**8),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("1e3", 1000),
        ("12E6", 12_000_000),
        ("1m", 1),
        ("128974848", 128974848),
        ("129e6", 129_000_000),
        ("9E", 9 * 10**18),
        ("8Ei", UNITS_MAX),
        ("1e1000000000", UNITS_MAX),
        ("1e-1000000000", 1),
        ("9" * 10_000, UNITS_MAX),
        ("0." + "0" * 10_000 + "1", 1),
    ],
)
def test_everything_else_is_counted_in_whole_units(text: str, size: int) -> None:
    assert amount("memory", nano(text)) == size


@pytest.mark.parametrize(
    "text",
    ["", " ", "1 ", " 1", "NaN", "nan", "inf", "1.1.M", "1+1.0M", "0.1mi", "0.1am", "aoeu", ".5i",
     "1i", "-3.01i", "-3.01e-", "1e", "1Kib", "1KB", "0x10", "\u0661", "1e1.5", "--1", "e3x"],
)  # fmt: skip
def test_what_the_api_server_cannot_parse_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        nano(text)


@pytest.mark.parametrize("value", [True, False, [], {}, float("nan"), float("inf"), b"1"])
def test_what_is_neither_text_nor_number_is_refused(value: object) -> None:
    with pytest.raises(QuantityError):
        nano(value)


def test_bare_numbers_are_read_by_their_text() -> None:
    assert nano(0.1) == NANO // 10
    assert nano(3) == 3 * NANO
    assert nano(1e21) == NANO_MAX
    assert nano(None) == 0
