"""Changes under traffic: rolling update, rollback, pause, and scaling 1 → 10 → 2 lose no request of a steady 50 a second."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import Cluster
from tests.e2e.load import Tally, steady

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
PER_SECOND, PORT = 50, 31080
SERVER = """
import os, signal, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["VERSION"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

server = Server(("", 8080), Answer)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
"""
APP = f"""
apiVersion: v1
kind: Service
metadata: {{name: app}}
spec:
  type: NodePort
  selector: {{app: app}}
  ports: [{{port: 80, targetPort: 8080, nodePort: {PORT}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: app}}}}
  template:
    metadata: {{labels: {{app: app}}}}
    spec:
      containers:
      - name: app
        image: naru/was:1
        imagePullPolicy: IfNotPresent
        command: [python3, -c, {json.dumps(SERVER)}]
        env: [{{name: VERSION, value: one}}]
        ports: [{{containerPort: 8080}}]
        readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 1}}
"""


@pytest.fixture
def app(node: Cluster) -> Cluster:
    """The Deployment and its Service, rolled out."""
    node.kubectl("apply", "-f", "-", stdin=APP)
    rolled_out(node)
    return node


def rolled_out(node: Cluster) -> None:
    done = node.kubectl("rollout", "status", "deployment/app", "--timeout=100s", check=False)
    assert done.returncode == 0, done.stdout + node.kubectl("get", "pods,events").stdout + node.logs()


def unharmed(tally: Tally) -> None:
    assert tally.failures == [], f"{len(tally.failures)} of {tally.sent} failed"
    assert tally.sent > PER_SECOND


def test_no_request_fails_while_the_deployment_changes(app: Cluster) -> None:
    with steady(f"http://127.0.0.1:{PORT}/", PER_SECOND) as tally:
        app.kubectl("set", "env", "deployment/app", "VERSION=two")
        rolled_out(app)
    unharmed(tally)
    assert tally.answers["two"] > 0

    with steady(f"http://127.0.0.1:{PORT}/", PER_SECOND) as tally:
        app.kubectl("rollout", "undo", "deployment/app")
        rolled_out(app)
    unharmed(tally)
    assert tally.answers["one"] > 0

    with steady(f"http://127.0.0.1:{PORT}/", PER_SECOND) as tally:
        app.kubectl("rollout", "pause", "deployment/app")
        app.kubectl("set", "env", "deployment/app", "VERSION=three")
        app.kubectl("scale", "deployment/app", "--replicas=4")
        app.kubectl("wait", "--for=jsonpath={.status.availableReplicas}=4", "deployment/app", "--timeout=60s")
        assert "three" not in tally.answers
        app.kubectl("rollout", "resume", "deployment/app")
        rolled_out(app)
    unharmed(tally)
    assert tally.answers["three"] > 0

    app.kubectl("scale", "deployment/app", "--replicas=1")
    app.kubectl("wait", "--for=jsonpath={.status.replicas}=1", "deployment/app", "--timeout=60s")
    with steady(f"http://127.0.0.1:{PORT}/", PER_SECOND) as tally:
        for replicas in (10, 2):
            app.kubectl("scale", "deployment/app", f"--replicas={replicas}")
            rolled_out(app)
            app.kubectl("wait", f"--for=jsonpath={{.status.replicas}}={replicas}", "deployment/app", "--timeout=60s")
    unharmed(tally)
