"""The real kernel's messages: a switch that comes is news of the machine, a pod's veth is not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Iterator

import pytest
from pyroute2 import IPRoute

from agent.hardware.hotplug import LINKS, Hotplug, is_news
from agent.netlink.sockets import LARGEST

pytestmark = [pytest.mark.docker, pytest.mark.skipif(os.geteuid() != 0, reason="makes devices")]


@pytest.fixture
def route() -> Iterator[IPRoute]:
    with IPRoute() as route:
        yield route


@contextlib.contextmanager
def device(route: IPRoute, **how: object) -> Iterator[str]:
    """A device until the block ends."""
    name = f"narut{secrets.token_hex(3)}"
    route.link("add", ifname=name, **how)
    try:
        yield name
    finally:
        for index in route.link_lookup(ifname=name):
            route.link("del", index=index)


def told_of(listener: socket.socket, name: str) -> list[bytes]:
    """What the kernel has said of a device by now: it speaks before it answers who made it."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(listener.recv(LARGEST))
    return [message for message in found if name.encode() + b"\0" in message]


@pytest.mark.parametrize(("how", "news"), [({"kind": "bridge"}, True), ({"kind": "veth", "peer": "narutpeer"}, False)])
def test_messages_about_a_device(route: IPRoute, how: dict[str, str], news: bool) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE) as listener:
        listener.bind((0, LINKS))
        with device(route, **how) as name:
            route.link("set", index=route.link_lookup(ifname=name)[0], state="up")
            messages = told_of(listener, name)
        messages += told_of(listener, name)  # and of its end
    assert messages
    assert any(is_news(socket.NETLINK_ROUTE, message) for message in messages) is news


def test_a_pods_plug_in_a_switch_is_no_news_of_the_switch(route: IPRoute) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE) as listener:
        listener.bind((0, LINKS))
        with device(route, kind="bridge") as bridge:
            told_of(listener, bridge)
            with device(route, kind="veth", peer=f"narut{secrets.token_hex(3)}") as plug:
                master = route.link_lookup(ifname=bridge)[0]
                route.link("set", index=route.link_lookup(ifname=plug)[0], master=master, state="up")
            messages = told_of(listener, bridge)
    assert messages
    assert not any(is_news(socket.NETLINK_ROUTE, message) for message in messages)


async def test_who_listens_is_woken() -> None:
    woken = asyncio.Event()
    hotplug = Hotplug(asyncio.get_running_loop(), woken.set)

    def plug() -> None:
        with IPRoute() as route, device(route, kind="bridge"):
            pass

    try:
        await asyncio.to_thread(plug)  # pyroute2 runs a loop of its own
        await asyncio.wait_for(woken.wait(), 5)
    finally:
        hotplug.close()
