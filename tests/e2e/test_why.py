"""`naru why` on a whole cluster: what really goes wrong is told by its cause, and the exit status says whether anything is.

All is made at once, in one cluster; each test waits for its own trouble.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from naru.cli import main
from tests.e2e.conftest import Cluster
from tests.e2e.test_heals import SeenPod, docker

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]
STAYS = ["sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]
SICK = {"exec": {"command": ["sh", "-c", "echo no database; false"]}, "periodSeconds": 1, "timeoutSeconds": 10}
HUNGRY = "perl -e '$x = \"a\" x 200000000; sleep 1'"
SMALL = {"limits": {"memory": "64Mi"}}
WAITING = "jsonpath={.status.containerStatuses[0].state.waiting.reason}"
RESTARTED = "jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}=0"


def pod(
    name: str, command: list[str] = STAYS, *, spec: dict[str, Any] | None = None, **container: Any
) -> dict[str, Any]:
    app = {"name": "app", "image": "naru/base", "imagePullPolicy": "IfNotPresent", "command": command, **container}
    whole = {"terminationGracePeriodSeconds": 1, "containers": [app], **(spec or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": whole}


def service(name: str, app: str, port: int | str = 80) -> dict[str, Any]:
    spec = {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def web() -> dict[str, Any]:
    """A Deployment whose pods are never ready."""
    template = {key: value for key, value in pod("web", readinessProbe=SICK).items() if key in ("metadata", "spec")}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def claim(name: str, class_: str) -> dict[str, Any]:
    spec = {"storageClassName": class_, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


TROUBLES = [
    pod("well"),
    pod("crashes", ["sh", "-c", "echo cannot open app.conf >&2; exit 3"]),
    pod("unpulled", image="nonesuch:1", imagePullPolicy="Never"),
    pod("unset", envFrom=[{"configMapRef": {"name": "settings"}}]),
    pod("huge", resources={"requests": {"cpu": "5000"}}),
    pod("starves", ["sh", "-c", f"exec {HUNGRY}"], resources=SMALL),
    pod("bleeds", ["sh", "-c", f"{HUNGRY}; sleep infinity & wait"], resources=SMALL),
    pod("ill", livenessProbe={**SICK, "failureThreshold": 1}),
    pod("stores", spec={"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}),
    claim("data", "fast"),
    web(),
    service("web", "web"),
    service("astray", "wbe"),
    service("misnamed", "well", "http"),
]


@pytest.fixture(scope="module")
def troubled(node: Cluster) -> Cluster:
    """A cluster in which all of it goes wrong."""
    node.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": TROUBLES}))
    return node


Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(troubled: Cluster, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs `naru why`: its exit status, and what it prints, unwrapped."""

    def asked(*words: str) -> tuple[int, str]:
        code = main(["why", "--data-dir", str(troubled.data_dir), *words])
        printed = capsys.readouterr()
        print(printed.out, printed.err)
        return code, " ".join((printed.out + printed.err).split())

    return asked


def told_of(cluster: Cluster, name: str, reason: str) -> None:
    """Return once an Event with that reason was said about a pod."""
    chosen = f"--field-selector=involvedObject.name={name},reason={reason}"
    with subprocess.Popen(
        cluster.command("get", "events", chosen, "--watch", "-o", "name", "--request-timeout=60s"),
        env=cluster.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        first = watching.stdout.readline()
        watching.terminate()
    assert first, f"no Event {reason} about {name}"


@pytest.mark.parametrize(
    ("object_", "wait", "sayings"),
    [
        ("pod/crashes", f"{WAITING}=CrashLoopBackOff",
         ["ended with exit code 3, which the program itself chose", "│ cannot open app.conf", "to do:"]),
        ("pod/unpulled", f"{WAITING}=ErrImageNeverPull", ["The image nonesuch:1 is not on the node's engine"]),
        ("pod/unset", f"{WAITING}=CreateContainerConfigError", ["needs the ConfigMap settings", "kubectl create configmap"]),
        ("pod/huge", "condition=PodScheduled=False", ["No node can take it: 0/1 nodes are available: 1 Insufficient cpu"]),
        ("pod/starves", f"{WAITING}=CrashLoopBackOff",
         ["needed more memory than its limit of 64Mi: the kernel killed it", "reason = OOMKilled, exitCode = 137"]),
        ("pod/ill", RESTARTED, ["failed its liveness probe and was ended for that", "Liveness probe failed: no database"]),
        ("pod/stores", "condition=PodScheduled=False",
         ["because persistentvolumeclaim/data: There is no StorageClass fast"]),
    ],
)  # fmt: skip
def test_a_pod_in_trouble_is_told_down_to_the_cause(
    troubled: Cluster, ask: Ask, object_: str, wait: str, sayings: list[str]
) -> None:
    troubled.kubectl("wait", object_, f"--for={wait}", "--timeout=60s")
    _, said = ask(object_)
    assert [saying for saying in sayings if saying not in said] == []


def test_a_deployment_and_its_service_are_told_down_to_the_probe(troubled: Cluster, ask: Ask) -> None:
    pods = troubled.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}").stdout.split()
    for name in pods:
        told_of(troubled, name, "Unhealthy")
    for object_ in (["deploy", "web"], ["svc/web"]):
        code, said = ask(*object_)
        assert code == 1
        assert f"the same holds for {pods[1]}" in said or f"the same holds for {pods[0]}" in said
        assert "because Container app runs, but its readiness probe fails: no database" in said
    code, said = ask("svc", "astray")
    assert code == 1 and "its selector app=wbe matches none of the" in said
    code, said = ask("svc", "misnamed")
    assert code == 1 and "leads to a port called http, which no container of its pods has" in said
    code, said = ask("pvc/data")
    assert code == 1 and 'storageclass.storage.k8s.io "fast" not found' in said


def test_a_process_that_the_kernel_killed_in_a_container_that_lives_on_is_told(troubled: Cluster, ask: Ask) -> None:
    told_of(troubled, "bleeds", "OOMKilling")
    troubled.kubectl("wait", "pod/bleeds", "--for=condition=Ready", "--timeout=30s")
    code, said = ask("pod", "bleeds")
    assert (code, said.startswith("nothing is wrong: pod/bleeds is ready")) == (0, True)
    assert "The kernel killed a process of container app for want of memory (limit 64Mi)" in said


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["kill"], "Container app was ended by signal 9 (SIGKILL) through the engine, not by Naru"),
        (["stop", "--time=9"], "Container app ended with exit code 0 after signal 15 (SIGTERM) was sent to it"),
        (["rm", "--force"], "Container app was ended by signal 9 (SIGKILL) through the engine, not by Naru"),
    ],
)
def test_what_a_person_does_to_a_container_is_told_as_that(
    troubled: Cluster, ask: Ask, command: list[str], message: str
) -> None:
    name = f"victim-{command[0]}"
    victim = SeenPod(troubled, name)
    victim.wait("condition=Ready")
    docker(*command, victim.container)
    victim.healed()
    told_of(troubled, name, "Killed")
    assert any(said.startswith(message) for _, reason, said in victim.events() if reason == "Killed")
    code, said = ask(f"pod/{name}")
    assert code == 0 and "worth knowing" in said and message in said


def test_what_naru_was_asked_to_kill_is_told_as_that(troubled: Cluster, ask: Ask) -> None:
    victim = SeenPod(troubled, "shown")
    victim.wait("condition=Ready")
    node = troubled.kubectl("get", "pod", "shown", "-o", "jsonpath={.spec.nodeName}").stdout
    troubled.kubectl("create", "--raw", f"/api/v1/nodes/{node}/proxy/kill/default/shown/app", "-f", "-")
    victim.healed()
    told_of(troubled, "shown", "Killed")
    code, said = ask("pod/shown")
    assert code == 0
    assert "Container app was ended by signal 9 (SIGKILL): Naru was asked to kill it." in said


def test_who_had_a_pod_deleted_is_known_when_it_is_gone(troubled: Cluster, ask: Ask) -> None:
    gone = SeenPod(troubled, "gone")
    gone.wait("condition=Ready")
    troubled.kubectl("delete", "pod", "gone")
    code, said = ask("pod", "gone")
    assert code == 1
    assert "There is no Pod gone in namespace default any more" in said
    assert "Deletion asked by admin with kubectl, with 1 s to end" in said


def test_the_exit_status_and_the_output_for_programs(troubled: Cluster, ask: Ask) -> None:
    troubled.kubectl("wait", "pod/well", "--for=condition=Ready", "--timeout=60s")
    code, said = ask("po/well", "-o", "json")
    answer = json.loads(said)
    assert (code, answer["object"], answer["wrong"]) == (0, "pod/well", [])
    name = troubled.kubectl("get", "nodes", "-o", "name").stdout.strip()
    assert ask(name)[0] == 0
    code, said = ask("deploy/none")
    assert code == 1 and "There is no Deployment none in namespace default" in said
    assert [ask(*words)[0] for words in (["pod"], ["thing/x"], ["secret/x"])] == [2, 2, 2]
