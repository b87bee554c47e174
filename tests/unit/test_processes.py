"""A cluster's processes are found again, ended once, and never mistaken for somebody else's."""

import json
import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from naru.processes import Process, StartError, restarting, wait_for_end


@pytest.fixture
def sleeper():
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    yield child
    child.kill()
    child.wait()


def record(process: Process, pid: int, started: int, **more: str) -> None:
    path = process.data_dir / "run" / f"{process.name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"pid": pid, "started": started, **more}))


def start_time(pid: int) -> int:
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_a_number_that_was_given_to_another_process_is_not_ours(tmp_path, sleeper) -> None:
    process = Process(tmp_path, "server")
    record(process, sleeper.pid, start_time(sleeper.pid) - 1)
    assert process.identity() is None
    assert process.stop() is False
    assert sleeper.poll() is None


def test_a_number_of_another_boot_is_not_ours_even_if_it_began_at_the_same_moment(tmp_path, sleeper) -> None:
    process = Process(tmp_path, "server")
    record(process, sleeper.pid, start_time(sleeper.pid), boot="0b6b1dc6-41b3-4d53-8a58-7d3f3e7d4c7a")
    assert process.identity() is None
    assert process.stop() is False
    assert sleeper.poll() is None


def test_a_running_process_is_found_and_ended(tmp_path, sleeper) -> None:
    process = Process(tmp_path, "server")
    record(process, sleeper.pid, start_time(sleeper.pid))
    found = process.identity()
    assert found is not None and found.pid == sleeper.pid
    assert process.stop(deadline=10) is True
    assert sleeper.wait(10) == -15
    assert process.identity() is None


def test_the_end_of_a_process_is_noticed(tmp_path, sleeper) -> None:
    process = Process(tmp_path, "server")
    record(process, sleeper.pid, start_time(sleeper.pid))
    os.kill(sleeper.pid, 9)
    assert wait_for_end(process) is process


def test_a_process_that_ends_between_two_looks_at_it_has_ended(tmp_path, sleeper, monkeypatch) -> None:
    process = Process(tmp_path, "server")
    record(process, sleeper.pid, start_time(sleeper.pid))
    found = process.identity()
    sleeper.kill()
    sleeper.wait()
    looks = iter([found, None])
    monkeypatch.setattr(process, "identity", lambda: next(looks))
    assert wait_for_end(process) is process


def test_a_process_that_is_only_restarted_has_not_ended(tmp_path, sleeper) -> None:
    process = Process(tmp_path, "server")
    record(process, sleeper.pid, start_time(sleeper.pid))
    with ThreadPoolExecutor() as threads:
        with restarting(tmp_path):
            waiting = threads.submit(wait_for_end, process)
            sleeper.kill()
            sleeper.wait()
            another = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
            record(process, another.pid, start_time(another.pid))
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        another.kill()
        another.wait()
        assert waiting.result(10) is process


def test_a_process_that_ends_before_it_is_ready_is_told_with_its_log(tmp_path) -> None:
    with pytest.raises(StartError, match="no command"):
        Process(tmp_path, "nothing").start([])
