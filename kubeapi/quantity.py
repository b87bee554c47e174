"""Quantities: `500m`, `1.5Gi`, `1e3`. Exact numbers in, Kubernetes' canonical text out.

Source: k8s.io/apimachinery/pkg/api/resource (the format is described in the API reference, Quantity).
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from functools import lru_cache

WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}  # powers of 1024
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
SUFFIX_OF = {power: suffix for suffix, power in DECIMAL.items()}
SHAPE = re.compile(
    r"([+-]?)([0-9]{1,100}\.?[0-9]{0,100}|\.[0-9]{1,100})(?:([eE])([+-]?[0-9]{1,2})|(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|))"
)
SMALLEST = Decimal("1e-9")
EXACT = Context(prec=400)  # holds every number that SHAPE lets through


def parse(value: str | int | float) -> Decimal:
    """The exact number that a quantity says; finer than nano is rounded up, away from zero. ValueError if it is none."""
    number, _ = _read(str(value))
    return number


def canonical(value: str | int | float) -> str:
    """The quantity as Kubernetes prints it: no fraction, the largest suffix that allows that, in the format given."""
    return _printed(str(value))


@lru_cache(4096)  # the same few amounts, over and over
def _printed(text: str) -> str:
    number, form = _read(text)
    whole = number == number.to_integral_value(context=EXACT)
    if number == 0:
        return "0"
    if form == "binary" and whole and abs(number) >= 1024:
        count, power = int(number), 0
        while power < 6 and count % 1024 == 0:
            count, power = count // 1024, power + 1
        return f"{count}{next((suffix for suffix, p in BINARY.items() if p == power), '')}"
    count, power = int(EXACT.divide(number, SMALLEST)), -9
    while power < 18 and count % 1000 == 0:
        count, power = count // 1000, power + 3
    return f"{count}{SUFFIX_OF[power] if form != 'exponent' else f'e{power}' if power else ''}"


@lru_cache(4096)
def _read(text: str) -> tuple[Decimal, str]:
    """The number and the format it was written in: binary, decimal or exponent."""
    found = SHAPE.fullmatch(text)
    if not found:
        raise ValueError(WRONG)
    sign, digits, exponent, power, suffix = found.groups()
    with localcontext(EXACT):
        number = Decimal(digits)
        if exponent:
            number, form = number.scaleb(int(power)), "exponent"
        elif suffix in BINARY:
            number, form = number * 1024 ** BINARY[suffix], "binary"
        else:
            number, form = number.scaleb(DECIMAL[suffix]), "decimal"
        number = (number / SMALLEST).to_integral_value(ROUND_CEILING) * SMALLEST
        return (-number if sign == "-" else number).normalize(), form
