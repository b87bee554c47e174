"""The unit of systemd's that starts a cluster at boot: its words, whose it is, and what is done with it."""

from __future__ import annotations

import pathlib
import socket
import subprocess

import pytest

from naru import boot

NO_ENGINE: dict[str, str] = {}


@pytest.fixture
def asked(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What systemd was asked, on a machine that it booted."""
    asked: list[str] = []
    (tmp_path / "units").mkdir()
    monkeypatch.setattr(boot, "UNITS", tmp_path / "units")
    monkeypatch.setattr(boot, "BOOTED", tmp_path / "units")
    monkeypatch.setattr(boot, "_systemctl", lambda *words: asked.append(" ".join(words)))
    return asked


@pytest.mark.parametrize("name", ["plain", "with space", "100% $HOME", 'a "quoted" \\ name', "나루"])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: pathlib.Path, name: str) -> None:
    data_dir, unit = tmp_path / name, tmp_path / "naru-1a2b.service"
    unit.write_text(boot.unit_text(data_dir, "1a2b", 3, environment={"DOCKER_HOST": f"unix://{data_dir}/docker.sock"}))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if unit.name in line or str(tmp_path) in line] == []


def test_the_unit_runs_this_interpreter_on_this_directory_and_repeats_no_setting(tmp_path: pathlib.Path) -> None:
    text = boot.unit_text(tmp_path / "a%b", "1a2b", environment=NO_ENGINE)
    (command,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    assert command.startswith('ExecStart=:"/') and '"-m" "naru" "up" "--supervised" "--data-dir"' in command
    assert command.endswith(f'"{tmp_path}/a%%b"')
    assert "Environment" not in text and "port" not in text
    assert f"ConditionPathExists={tmp_path}/a%%b/cluster.json\n" in text
    with_nodes = boot.unit_text(tmp_path, "1a2b", 0, environment=NO_ENGINE)
    assert '"--simulated-nodes" "0"\n' in with_nodes


def test_another_engine_is_the_units_too(tmp_path: pathlib.Path) -> None:
    text = boot.unit_text(tmp_path, "1a2b", environment={"DOCKER_HOST": "unix:///run/other.sock", "TOKEN": "secret"})
    assert 'Environment="DOCKER_HOST=unix:///run/other.sock"\n' in text
    assert "secret" not in text


def test_a_directory_that_would_break_a_line_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(boot.BootError, match="characters that no unit"):
        boot.unit_text(tmp_path / "a\nExecStartPre=b", "1a2b")


def test_clusters_have_units_of_their_own_and_others_stay_what_they_are(
    tmp_path: pathlib.Path, asked: list[str]
) -> None:
    foreign = boot.UNITS / "naru-mine.service"
    foreign.write_text("[Service]\n")
    (boot.UNITS / "naru-gone.service").symlink_to(tmp_path / "nowhere")
    one, two = (boot.install(tmp_path / name, cluster) for name, cluster in (("one", "0001"), ("two", "0002")))
    assert (one.name, two.name) == ("naru-0001.service", "naru-0002.service")
    assert (boot.units_of(tmp_path / "one"), boot.units_of(tmp_path / "two")) == ([one], [two])
    assert one.path.stat().st_mode & 0o7777 == 0o644
    one.remove()
    assert asked[-3:] == ["stop naru-0001.service", "disable naru-0001.service", "daemon-reload"]
    assert boot.units_of(tmp_path / "one") == [] and two.path.exists() and foreign.read_text() == "[Service]\n"


def test_a_directory_that_is_reached_by_a_link_has_the_same_unit(tmp_path: pathlib.Path, asked: list[str]) -> None:
    (tmp_path / "where").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "where")
    unit = boot.install(tmp_path / "link", "0001")
    assert boot.units_of(tmp_path / "where") == boot.units_of(tmp_path / "link") == [unit]


def test_a_unit_that_says_the_same_runs_on_and_one_that_differs_is_stopped_first(
    tmp_path: pathlib.Path, asked: list[str]
) -> None:
    boot.install(tmp_path, "0001")
    asked.clear()
    boot.install(tmp_path, "0001")
    assert asked == ["enable naru-0001.service"]
    boot.install(tmp_path, "0001", 5)
    assert asked[1:] == [
        "stop naru-0001.service",
        "disable naru-0001.service",
        "daemon-reload",
        "daemon-reload",
        "enable naru-0001.service",
    ]


def test_a_cluster_made_anew_in_a_directory_replaces_the_unit_of_the_one_that_was_deleted(
    tmp_path: pathlib.Path, asked: list[str]
) -> None:
    boot.install(tmp_path, "0001")
    boot.install(tmp_path, "0002")
    assert [unit.name for unit in boot.units_of(tmp_path)] == ["naru-0002.service"]
    assert "stop naru-0001.service" in asked


def test_a_unit_of_that_name_that_is_not_ours_is_not_overwritten(tmp_path: pathlib.Path, asked: list[str]) -> None:
    there = boot.UNITS / "naru-0001.service"
    there.write_text("[Service]\n")
    with pytest.raises(boot.BootError, match=r"not of the cluster in .*: move it away"):
        boot.install(tmp_path, "0001")
    assert there.read_text() == "[Service]\n" and asked == []


def test_enabled_is_what_the_next_boot_would_start(tmp_path: pathlib.Path, asked: list[str]) -> None:
    unit = boot.install(tmp_path, "0001")
    assert not unit.enabled
    wants = boot.UNITS / "multi-user.target.wants"
    wants.mkdir()
    (wants / unit.name).symlink_to(unit.path)
    assert unit.enabled


def test_without_systemd_it_is_said_what_to_do_instead(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "BOOTED", tmp_path / "none")
    with pytest.raises(boot.BootError, match=r"systemd did not boot this machine.*-m naru up --detach --data-dir '"):
        boot.need_systemd(tmp_path / "a b")


@pytest.mark.parametrize("abstract", [False, True])
def test_readiness_is_told_where_systemd_listens(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    address = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address.replace("@", "\0", 1))
        listening.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        boot.tell_ready()
        assert listening.recv(16) == b"READY=1"
    monkeypatch.delenv("NOTIFY_SOCKET")
    boot.tell_ready()
