"""What an agent reads back or walks through and others may have written: labels, volumes, messages, DNS packets."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import strategies as st

from agent.network import dns
from agent.plan import Observed
from agent.runtime.inspections import LABEL, container_of, is_ours, listed_of, sandbox_of
from agent.runtime.protocol import Container, PodRef
from agent.termination import TerminationMessages
from agent.volumes.atomic import File, write
from agent.volumes.ownership import give_to_group
from agent.volumes.subpath import EscapeError, open_within
from kubeapi.core_v1.types import Pod
from tests.security.fuzz import FEW, MANY, NASTY, SOAK, fuzz
from tests.unit.test_dns import DNSRecord, server

EXAMPLES = pytest.mark.parametrize("examples", [FEW * 3, pytest.param(MANY, marks=SOAK)])
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="ownership needs root")
TURNS, LET_BE, PATIENCE = 400, 0.02, 30.0
GROUP = 4242
TEXTS = [text for text in NASTY if isinstance(text, str)]
OURS = {
    "cluster": "c", "kind": "container", "pod.namespace": "default", "pod.name": "web", "attempt": "0", "crashes": "0",
    "pod.uid": "0b2f6f1c-0000-4000-8000-000000000000", "container": "app", "sandbox": "f" * 64, "message": "/x",
}  # fmt: skip


def seen(labels: dict[str, str]) -> dict[str, object]:
    """A container as the engine inspects it."""
    state = {"Status": "running", "Running": True, "Pid": 1, "ExitCode": 0, "StartedAt": "", "FinishedAt": ""}
    return {
        "Id": "a" * 64,
        "Config": {"Labels": labels, "Image": "i"},
        "State": state,
        "Image": "sha256:0",
        "Created": "",
    }


@EXAMPLES
def test_labels_that_somebody_made_up_are_understood_or_passed_over(examples: int) -> None:
    wrong = st.dictionaries(st.sampled_from([*OURS, "other"]), st.sampled_from(TEXTS) | st.text(max_size=8), max_size=3)
    missing = st.sets(st.sampled_from([*OURS]), max_size=2)

    @fuzz(examples, wrong, missing)
    def holds(bent, left_out) -> None:
        told = {**OURS, **bent}
        labels = {LABEL + name: value for name, value in told.items() if name not in left_out}
        row = {"Id": "a" * 64, "Names": ["/x"], "Labels": labels, "State": "running"}
        assert (listed_of(row, "").pod is not None) <= is_ours(labels)
        if is_ours(labels):
            value = (sandbox_of if labels[LABEL + "kind"] == "sandbox" else container_of)(seen(labels))
            assert Path("/pods", value.pod.uid).resolve().parent == Path("/pods")


@pytest.mark.parametrize("uid", ["", ".", "..", "../..", "a/b", "/etc", "a\0", "a\n", "-rf", ".hidden"])
def test_a_label_that_is_no_uid_becomes_no_path(uid: str) -> None:
    labels = {LABEL + name: value for name, value in (OURS | {"pod.uid": uid}).items()}
    assert not is_ours(labels)


async def test_a_message_is_read_from_the_pods_own_directory_wherever_a_label_points(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not to be told")
    (tmp_path / "pod/messages").mkdir(parents=True)
    (tmp_path / "pod/messages/app-0").write_text("goodbye")
    runtime: object = None
    for path, said in ((str(secret), ""), ("/a/..", ""), ("", ""), ("/elsewhere/app-0", "goodbye")):
        messages = TerminationMessages(runtime, tmp_path / "pod")  # type: ignore[arg-type]
        ended = Container("id", PodRef("default", "web", "u"), "app", 0, "s", "exited", message_path=path)
        observed = Observed(sandboxes=(), containers=(ended,))
        assert (await messages.of(Pod.model_validate({"spec": {"containers": []}}), observed))["id"] == said


@contextmanager
def swapping(name: Path, outside: Path) -> Iterator[None]:
    """A container that turns a directory of its volume into a link to a place of the host, and back, all the time. Now and
    then it leaves it be: in step with who walks there, it would let nobody come to an end."""
    held, link, ended = name.with_name("held"), name.with_name("link"), threading.Event()
    count, chance = itertools.count(), random.Random(1)
    link.symlink_to(outside)

    def put(what: Path) -> None:
        while what.is_symlink() or what.exists():
            try:
                what.rename(name)
            except OSError:  # whoever walks here has just made the directory that it missed
                name.rename(name.with_name(f"anew{next(count)}"))

    def swap() -> None:
        while not ended.is_set():
            name.rename(held)
            put(link)
            name.rename(link)
            put(held)
            if chance.random() < LET_BE:
                ended.wait(0.0005)

    with ThreadPoolExecutor(1) as threads:
        container = threads.submit(swap)
        try:
            yield
        finally:
            ended.set()
            container.result()


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A volume with a directory `data`, and a place of the host; both have a file `victim`."""
    volume, host = tmp_path / "volume", tmp_path / "host"
    for folder in (volume / "data", host):
        folder.mkdir(parents=True)
        (folder / "victim").touch()
        (folder / "victim").chmod(0o600)
    return volume, host


def tried(do: Callable[[], None]) -> int:
    """How many of many turns came to an end, and of as many more as it takes until one does; the others found that what they
    walked through was gone."""
    ended, until = 0, time.monotonic() + PATIENCE
    for turn in itertools.count():
        if time.monotonic() > until or (turn >= TURNS and ended):
            break
        try:
            do()
            ended += 1
        except (FileNotFoundError, NotADirectoryError, EscapeError):
            pass
    return ended


def test_a_sub_path_swapped_for_a_link_while_it_is_walked_leads_nowhere_else(places: tuple[Path, Path]) -> None:
    volume, host = places
    before, found = sorted(host.iterdir()), set()

    def walk() -> None:
        descriptor = open_within(volume, "data/victim")
        found.add(os.fstat(descriptor).st_ino)
        os.close(descriptor)
        os.close(open_within(volume, "data/made"))

    with swapping(volume / "data", host):
        assert tried(walk)
    assert sorted(host.iterdir()) == before
    assert (host / "victim").stat().st_ino not in found


@ROOT
def test_a_directory_swapped_for_a_link_while_a_volume_is_given_to_its_group_changes_nothing_else(
    places: tuple[Path, Path],
) -> None:
    volume, host = places
    with swapping(volume / "data", host):
        assert tried(lambda: give_to_group(volume, GROUP))
    for kept in (host, host / "victim"):
        assert kept.stat().st_gid != GROUP
    assert (host / "victim").stat().st_mode & 0o777 == 0o600
    assert (volume / "data/victim").stat().st_gid == GROUP


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "..data", "..", "", "a/..", "x\0y"])
def test_a_projected_file_stays_in_its_volume(tmp_path: Path, path: str) -> None:
    root = tmp_path / "volume"
    root.mkdir()
    with pytest.raises(ValueError, match=r"invalid path|null byte|null character"):
        write(root, {path: File(b"x")})
    assert [p.name for p in tmp_path.iterdir()] == ["volume"]


async def test_questions_that_no_resolver_answers_are_bounded_and_the_clusters_names_still_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, ended = [], asyncio.Event()

    async def silent(query: bytes, resolver: object) -> bytes:
        asked.append(resolver)
        await ended.wait()
        return query

    monkeypatch.setattr(dns, "_ask_datagram", silent)
    asked_server = server(lambda: [("127.0.0.1", 9)])
    outside = DNSRecord.question("example.org").pack()
    flood = [asyncio.create_task(asked_server.respond(outside)) for _ in range(4 * dns.MOST_FORWARDED)]
    while not all(task.done() for task in flood[dns.MOST_FORWARDED :]):
        await asyncio.wait(flood[dns.MOST_FORWARDED :])
    assert len(asked) == dns.MOST_FORWARDED
    inside = await asked_server.respond(DNSRecord.question("web.shop.svc.cluster.local").pack())
    assert inside and DNSRecord.parse(inside).rr
    ended.set()
    await asyncio.gather(*flood)
    assert await asked_server.respond(outside)
    assert len(asked) == dns.MOST_FORWARDED + 1
