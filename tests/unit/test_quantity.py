"""Quantities are exact, and printed as Kubernetes prints them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeapi.quantity import canonical, parse


@pytest.mark.parametrize(
    ("text", "number", "printed"),
    [
        ("0", "0", "0"),
        ("1", "1", "1"),
        ("100m", "0.1", "100m"),
        ("1000m", "1", "1"),
        ("1500m", "1.5", "1500m"),
        ("0.5", "0.5", "500m"),
        ("1.5Gi", "1610612736", "1536Mi"),
        ("1024Mi", "1073741824", "1Gi"),
        ("1023Ki", "1047552", "1023Ki"),
        ("1000Ki", "1024000", "1000Ki"),
        ("1e3", "1000", "1e3"),
        ("1000", "1000", "1k"),
        ("12e6", "12000000", "12e6"),
        ("1E", "1000000000000000000", "1E"),
        ("-5m", "-0.005", "-5m"),
        ("+1", "1", "1"),
        (".5", "0.5", "500m"),
        ("1n", "0.000000001", "1n"),
        ("0.1n", "0.000000001", "1n"),
        ("0.5Gi", "536870912", "512Mi"),
        ("0.5Ki", "512", "512"),
    ],
)
def test_numbers_and_their_print(text: str, number: str, printed: str) -> None:
    assert parse(text) == Decimal(number)
    assert canonical(text) == printed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1x",
        "1 Gi",
        "Gi",
        "1gi",
        "1.2.3",
        "0x1",
        "1Zi",
        "e3",
        "1KI",
        "--1",
        "1e99999999999",
        "1e5000",
        "\u0663",
        "1" * 5000,
    ],
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="regular expression"):
        parse(text)


@given(
    st.integers(-(10**15), 10**15), st.sampled_from(["n", "u", "m", "", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "e-3"])
)
def test_print_keeps_the_number_and_is_stable(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    printed = canonical(text)
    assert parse(printed) == parse(text)
    assert canonical(printed) == printed
