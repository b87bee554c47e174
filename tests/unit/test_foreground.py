"""What the long-running processes make of what they were started with."""

import resource
import subprocess
import sys

import pytest

FEW, MANY = 64, 256
OPENS = f"import os; print(len([os.open(os.devnull, os.O_RDONLY) for _ in range({MANY})]))"


@pytest.mark.parametrize(
    "before, said", [("", "Too many open files"), ("from naru.foreground import open_many; open_many(); ", str(MANY))]
)
def test_a_process_started_with_few_descriptors_takes_as_many_as_it_may_have(before: str, said: str) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, 4 * MANY))

    done = subprocess.run([sys.executable, "-c", before + OPENS], preexec_fn=few, capture_output=True, text=True)
    assert said in done.stdout + done.stderr
