"""Where a document of the layers comes from: a cluster's agent through the API, or, where no cluster runs, this process.

Every mode of `naru layers` asks here, so that all take `NODE`, `--data-dir` and `--kubeconfig` in one sense.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import pathlib
import socket
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from kubeapi.clock import SystemClock
from kubeapi.hardware_v1.layers import Layers
from naru.cli import CommandError
from naru.config import ClusterConfig
from naru.connection import Connection, NoClusterError, RefusedError
from naru.kubeconfig import KubeconfigError

if TYPE_CHECKING:
    from agent.hardware.view import NodeView


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What says which machine is meant."""
    parser.add_argument(
        "node", nargs="?", metavar="NODE", help="a node of the cluster (the only one, or this machine's)"
    )
    parser.add_argument("--kubeconfig", type=pathlib.Path, metavar="FILE", help="ask the cluster of this kubeconfig")


def ask(options: argparse.Namespace, path: str) -> bytes | None:
    """What the node's agent answers at `path` (`layers`, `layers/memory`); None where no cluster runs and none was named:
    this machine is to be looked at from here."""
    try:
        connection = Connection(options.data_dir, options.kubeconfig)
        node = options.node or own_node(options, connection)
        with connection.send("GET", f"/api/v1/nodes/{node}/proxy/{path}") as response:
            return response.read()
    except NoClusterError as error:
        if options.node or options.kubeconfig:
            raise CommandError(str(error)) from error
        return None
    except (RefusedError, KubeconfigError) as error:
        raise CommandError(str(error)) from error


def own_node(options: argparse.Namespace, connection: Connection) -> str:
    """The node that is meant where none is named: the only one, or the one that is this machine."""
    names = sorted(item["metadata"]["name"] for item in connection.get("/api/v1/nodes")["items"])
    if len(names) == 1:
        return str(names[0])
    config = None if options.kubeconfig else ClusterConfig.read(options.data_dir)
    own = config.node if config else socket.gethostname().lower()
    if own in names:
        return own
    if not names:
        raise CommandError("the cluster has no node yet")
    raise CommandError(f"name a node: {', '.join(names)}")


def layers(options: argparse.Namespace) -> Layers:
    """The layers of the node that is meant."""
    answer = ask(options, "layers")
    if answer is None:
        return asyncio.run(_discovered())
    return Layers.from_json(answer)


async def _discovered() -> Layers:
    from agent.hardware.discovery import Discovery

    async with own_view() as view:
        discovery = Discovery(view)
        try:
            return await discovery.layers()
        finally:
            await discovery.close()


@contextlib.asynccontextmanager
async def own_view() -> AsyncIterator[NodeView]:
    """This machine, where no agent looks at it: no Services or network of ours, but the pods of every cluster, which the
    engine's labels tell, if one answers."""
    from agent.hardware.view import NodeView
    from agent.runtime.docker import DockerRuntime

    runtime = DockerRuntime(cluster="")
    try:
        yield NodeView(name=socket.gethostname().lower(), clock=SystemClock(), runtime=runtime)
    finally:
        await runtime.close()
