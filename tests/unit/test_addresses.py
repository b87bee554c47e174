"""Pod addresses: never taken twice, never the gateway's, and rested before they are given again."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.network.addresses import NoAddressLeftError, hardware_address, next_address
from agent.network.config import NetworkConfig


def test_the_first_pod_gets_the_address_behind_the_gateways() -> None:
    assert next_address("10.244.0.0/24", []) == "10.244.0.2"


def test_a_freed_address_is_not_the_next_one_given() -> None:
    assert next_address("10.244.0.0/24", ["10.244.0.3"], last="10.244.0.3") == "10.244.0.4"


def test_the_circle_closes_behind_the_last_address() -> None:
    assert next_address("10.244.0.0/29", [], last="10.244.0.6") == "10.244.0.2"


@given(prefix=st.integers(22, 29), last=st.integers(2, 5), data=st.data())
def test_all_addresses_are_given_once_and_then_it_says_so(prefix: int, last: int, data: st.DataObject) -> None:
    network = ipaddress.IPv4Network(f"10.1.0.0/{prefix}")
    free = network.num_addresses - 3
    taken = {str(network[i]) for i in data.draw(st.sets(st.integers(2, free + 1)))}
    given_last: str | None = str(network[last])
    for _ in range(free - len(taken)):
        given_last = next_address(str(network), taken, given_last)
        assert given_last not in taken
        assert ipaddress.IPv4Address(given_last) in network
        assert given_last not in (str(network[0]), str(network[1]), str(network[-1]))
        taken.add(given_last)
    with pytest.raises(NoAddressLeftError):
        next_address(str(network), taken, given_last)


def test_hardware_addresses_follow_from_addresses() -> None:
    assert hardware_address("10.244.1.7") == "0a:58:0a:f4:01:07"


def test_names_of_two_clusters_never_meet_and_fit_the_kernel() -> None:
    one, two = (NetworkConfig(c, "n", "10.244.0.0/24", "10.244.0.0/16", "10.96.0.0/16") for c in ("0a1b", "0a1c"))
    assert len(one.veth("some-uid")) == 15
    assert not two.veth("some-uid").startswith(one.veth_prefix)
    assert one.bridge != two.bridge
    assert one.table != two.table
    assert (one.gateway, one.dns_address) == ("10.244.0.1", "10.96.0.10")
