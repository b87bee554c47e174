"""Numbers in texts are read as Go reads them, whatever Python would take for one."""

from __future__ import annotations

import pytest

from controlplane.controllers.deployment.history import REVISION, revision_of
from controlplane.controllers.pods import deletion_rank
from kubeapi.core_v1.types import Pod
from kubeapi.core_v1.validation.network import validate_range
from kubeapi.go_numbers import int_in, parse_int, parse_uint
from kubeapi.selectors import Requirement

ODD = ["", "²", "٣", " 1", "1_0", "0x1", "1e3", "--1", "9" * 5000, str(2**63)]


@pytest.mark.parametrize(
    "text, number", [("0", 0), ("-9223372036854775808", -(2**63)), ("+7", 7), ("0" * 5000 + "8", 8)]
)
def test_what_go_takes_is_taken(text: str, number: int) -> None:
    assert parse_int(text) == int_in(text) == number


@pytest.mark.parametrize("text", ODD)
def test_what_go_refuses_is_refused_in_its_words(text: str) -> None:
    assert int_in(text) is None
    why = "value out of range" if len(text) > 10 else "invalid syntax"
    with pytest.raises(ValueError) as refused:
        parse_int(text)
    assert str(refused.value) == f'strconv.ParseInt: parsing "{text}": {why}'


def test_an_unsigned_number_has_no_sign_and_one_bit_more() -> None:
    assert parse_uint("18446744073709551615") == 2**64 - 1
    for text, why in (("18446744073709551616", "value out of range"), ("-1", "invalid syntax")):
        with pytest.raises(ValueError, match=f"strconv.ParseUint.*{why}"):
            parse_uint(text)


@pytest.mark.parametrize("text", ODD)
def test_a_text_that_is_no_number_stops_nobody_who_expects_one(text: str) -> None:
    assert revision_of({REVISION: text}) == 0
    assert not Requirement("a", "gt", frozenset((text,))).matches({"a": "1"})
    assert not Requirement("a", "lt", frozenset(("1",))).matches({"a": text})
    assert validate_range(f"10.0.0.0/{text}", "cidr")
    cost = {"annotations": {"controller.kubernetes.io/pod-deletion-cost": text}}
    assert deletion_rank(Pod.model_validate({"metadata": cost}), 0) == deletion_rank(Pod(), 0)
