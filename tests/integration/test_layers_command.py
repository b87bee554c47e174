"""`naru layers` on the machine that runs the tests, where no cluster runs: it is looked at from the command itself."""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
import platform
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
import yaml

from kubeapi.hardware_v1.layers import Layers
from naru.cli import main

pytestmark = pytest.mark.docker  # it asks the engine of the machine


def layers(data_dir: pathlib.Path, *arguments: str, status: int = 0) -> str:
    """What the command prints, or complains of."""
    out, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaint):
        assert main(["layers", "--data-dir", str(data_dir), *arguments]) == status
    return out.getvalue() or complaint.getvalue()


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A snapshot of this machine, made as a person makes it."""
    path = tmp_path_factory.mktemp("layers") / "before.json"
    command = [sys.executable, "-m", "naru", "layers", "--data-dir", str(path.parent), "-o", "json"]
    path.write_bytes(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    return path


def test_the_snapshot_is_the_documents_schema_and_names_this_kernel(before: pathlib.Path) -> None:
    read = Layers.from_json(before.read_bytes())
    assert read.kind == "Layers" and json.loads(read.to_json()) == json.loads(before.read_text())
    kernel = read.part("kernel")
    assert kernel and kernel.value("release") == platform.release()


def test_every_interface_of_this_machine_is_told(before: pathlib.Path) -> None:
    names = set(layers_names(before))
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, text=True, check=True).stdout)
    lasting = {
        link["ifname"] for link in links if link.get("linkinfo", {}).get("info_kind") != "veth" and link["ifindex"] < 5
    }
    assert lasting and lasting <= names


def layers_names(snapshot: pathlib.Path) -> list[str]:
    return [part.name for part in Layers.from_json(snapshot.read_bytes()).parts if part.id.startswith("link/")]


def test_all_forms_of_one_snapshot_say_the_same(before: pathlib.Path) -> None:
    file = ("--file", str(before))
    assert yaml.load(layers(before.parent, *file, "-o", "yaml"), yaml.CSafeLoader) == json.loads(before.read_text())
    assert platform.release() in layers(before.parent, *file)
    assert "no pod is called nothing-like-it" in layers(before.parent, *file, "--select", "nothing-like-it", status=1)
    assert "← /proc/meminfo" in layers(before.parent, *file, "--evidence")
    assert ElementTree.fromstring(layers(before.parent, *file, "--svg", "-")).tag.endswith("svg")


def test_a_difference_has_an_exit_status(before: pathlib.Path) -> None:
    read = Layers.from_json(before.read_bytes())
    read.parts = [part for part in read.parts if part.id != "memory"]
    after = before.with_name("after.json")
    after.write_bytes(read.to_json())
    assert "nothing changed" in layers(before.parent, "--diff", str(before), str(before))
    assert "  - memory" in layers(before.parent, "--diff", str(before), str(after), status=1)
    told = json.loads(layers(before.parent, "--diff", str(before), str(after), "-o", "json", status=1))
    assert [part["id"] for part in told["vanished"]] == ["memory"] and told["appeared"] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("worker-7",), "no cluster runs in"),
        (("--file", "/nowhere/x.json"), "/nowhere/x.json: No such file or directory"),
        (("--file", "/proc/version"), "holds no layers: `naru layers -o json > FILE` makes such a file"),
        (("--kubeconfig", "/nowhere/config"), "/nowhere/config has no current context"),
    ],
)
def test_what_cannot_be_done_is_one_line_that_says_why(
    tmp_path: pathlib.Path, arguments: tuple[str, ...], says: str
) -> None:
    told = layers(tmp_path, *arguments, status=1)
    assert told.startswith("naru: ") and says in told and len(told.splitlines()) == 1
