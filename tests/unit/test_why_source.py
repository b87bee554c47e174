"""The shell around `why`: how a person names a kind, and logs that can be had or not."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from kubeapi.registry import load
from naru.cli import main
from naru.connection import RefusedError
from naru.why.finding import LogRef
from naru.why.source import TAIL, NoKindError, kind_called, read_logs


@pytest.mark.parametrize(
    ("word", "kind"),
    [("pod", "Pod"), ("po", "Pod"), ("Pods", "Pod"), ("deploy", "Deployment"), ("deployment.apps", "Deployment"),
     ("rs", "ReplicaSet"), ("svc", "Service"), ("pvc", "PersistentVolumeClaim"), ("no", "Node"), ("ns", "Namespace")],
)  # fmt: skip
def test_kinds_are_named_as_kubectl_takes_them(word: str, kind: str) -> None:
    assert kind_called(load(), word).kind == kind


def test_a_kind_that_nobody_has_is_refused() -> None:
    with pytest.raises(NoKindError, match="no kind called 'thing'"):
        kind_called(load(), "thing")


class Logs:
    """A connection to an API that has the logs of some containers."""

    def __init__(self, **texts: str) -> None:
        self.texts, self.asked = texts, list[Mapping[str, str]]()

    @contextlib.contextmanager
    def send(self, method: str, path: str, query: Mapping[str, str]) -> Iterator[io.BytesIO]:
        assert (method, path) == ("GET", "/api/v1/namespaces/ns/pods/p/log")
        self.asked.append(query)
        if query["container"] not in self.texts:
            raise RefusedError("previous terminated container not found")
        yield io.BytesIO(self.texts[query["container"]].encode())


def test_a_log_is_its_last_lines_or_says_why_there_are_none() -> None:
    api: Any = Logs(long="".join(f"{n}\n" for n in range(9)), silent="")
    long, silent, gone = (LogRef("ns", "p", name, previous=True) for name in ("long", "silent", "gone"))
    assert read_logs(api, [long, silent, gone]) == {
        long: ("4", "5", "6", "7", "8"),
        silent: ("(its log is empty)",),
        gone: ("(its log can't be had: previous terminated container not found)",),
    }
    assert {(q["tailLines"], q["previous"]) for q in api.asked} == {(str(TAIL), "true")}


@pytest.mark.parametrize("words", [["pod"], ["pod", "a", "b"], ["pod/"], ["thing/x"], ["secret/x"]])
def test_a_question_that_can_not_be_asked_so_is_a_fault_of_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["why", *words]) == 2
    assert capsys.readouterr().err.startswith("naru why: ")
