"""A cluster's settings are chosen once and keep clear of what the machine already routes."""

import ipaddress
import pathlib

from naru.config import ClusterConfig, busy_ranges, free_ranges

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
*\t0000F40A\t00000000\t0201\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_routes_of_the_kernel_are_read_as_networks() -> None:
    assert [str(n) for n in busy_ranges(ROUTES)] == ["172.17.0.0/16", "10.244.0.0/16"]


def test_ranges_are_kubernetes_own_unless_they_are_taken() -> None:
    assert free_ranges([]) == ("10.244.0.0/16", "10.96.0.0/16")
    assert free_ranges(busy_ranges(ROUTES)) == ("10.243.0.0/16", "10.96.0.0/16")
    assert free_ranges([ipaddress.IPv4Network("10.96.0.0/11")])[1] == "10.128.0.0/16"


def test_clusters_beside_the_first_begin_their_search_elsewhere() -> None:
    assert free_ranges(busy_ranges(ROUTES), first=2) == ("10.242.0.0/16", "10.98.0.0/16")
    assert free_ranges(busy_ranges(ROUTES), first=64) == ("10.243.0.0/16", "10.96.0.0/16")
    ranges = {free_ranges([], first=i) for i in range(1000)}
    assert len({pods for pods, _ in ranges}) == len({services for _, services in ranges}) == 64


def test_settings_survive_a_restart_and_a_new_port_replaces_the_old(tmp_path: pathlib.Path) -> None:
    first = ClusterConfig.ensure(tmp_path / "a", port=7443)
    assert ClusterConfig.ensure(tmp_path / "a") == first
    assert ClusterConfig.ensure(tmp_path / "a", port=7444).id == first.id
    kept = ClusterConfig.read(tmp_path / "a")
    assert kept is not None and kept.port == 7444
    assert ClusterConfig.read(tmp_path / "b") is None
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
