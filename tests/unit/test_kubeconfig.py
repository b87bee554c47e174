"""A cluster's entries come into a user's kubeconfig, and nothing of the user's is lost."""

import base64
import pathlib
import stat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naru.kubeconfig import ENTRIES, KubeconfigError, credentials, load, merged, self_contained, write

NEW: dict[str, Any] = {
    "clusters": [
        {"name": "naru-1", "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority": "ca.crt"}}
    ],
    "contexts": [{"name": "naru-1", "context": {"cluster": "naru-1", "user": "naru-1"}}],
    "users": [{"name": "naru-1", "user": {"token": "secret"}}],
    "current-context": "naru-1",
}
NAMES = st.lists(st.sampled_from(["naru-1", "kind", "prod", "naru-2"]), unique=True)


@given(
    st.fixed_dictionaries(
        {}, optional={e: st.none() | NAMES.map(lambda names: [{"name": n} for n in names]) for e in ENTRIES}
    )
)
def test_others_stay_in_their_order_and_ours_stands_once(own: dict[str, Any]) -> None:
    result = merged(own, NEW)
    for entries in ENTRIES:
        others = [e for e in own.get(entries) or [] if e["name"] != "naru-1"]
        assert result[entries] == [*others, *NEW[entries]]
    assert result["current-context"] == "naru-1"
    assert merged(result, NEW) == result


def test_what_is_unknown_stays() -> None:
    assert merged({"preferences": {"colors": True}, "x": 1}, NEW)["x"] == 1


def test_a_written_file_is_its_owners_alone_and_a_link_stays_one(tmp_path: pathlib.Path) -> None:
    real, link = tmp_path / "real", tmp_path / "config"
    real.write_text("clusters: []\n")
    real.chmod(0o644)
    link.symlink_to(real)
    write(link, NEW)
    assert link.is_symlink() and load(real) == NEW
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_certificates_travel_inside_and_are_read_again(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ca.crt").write_text("PEM")
    beside = {**NEW, "clusters": [{"name": "naru-1", "cluster": {**NEW["clusters"][0]["cluster"],
              "certificate-authority": str(tmp_path / "ca.crt")}}]}  # fmt: skip
    inside = self_contained(beside)
    assert base64.b64decode(inside["clusters"][0]["cluster"]["certificate-authority-data"]) == b"PEM"
    for content in (beside, inside):
        write(tmp_path / "config", content)
        assert credentials(tmp_path / "config") == ("https://127.0.0.1:6443", "PEM", "secret")


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "clusters: 5\n", "5\n"])
def test_what_is_no_kubeconfig_is_said(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(KubeconfigError, match="is no kubeconfig"):
        load(tmp_path / "config")


def test_no_file_and_an_empty_one_are_an_empty_kubeconfig(tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty").write_text("")
    assert load(tmp_path / "empty") == load(tmp_path / "none") == {}
    with pytest.raises(KubeconfigError, match="no current context"):
        credentials(tmp_path / "none")
