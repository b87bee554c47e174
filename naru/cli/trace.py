"""`naru trace POD --to ...`: the packet's way, hop by hop, predicted by the pod's node; with --probe, proven there."""

from __future__ import annotations

import argparse
import pathlib
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from naru.cli import CommandError

if TYPE_CHECKING:
    from kubeapi.core_v1.types import ObjectReference
    from kubeapi.hardware_v1.trace import Drop, Hop, Trace
    from naru.connection import Connection

SUMMARY = "follow a packet hop by hop: predicted, or proven with --probe"
WIDTH = 80
DROPPED = 4
HOST = "host"
EXAMPLES = """examples:
  naru trace web-57d74bff57-fmxjw --to was            the way to a Service, predicted
  naru trace web-57d74bff57-fmxjw --to was --probe    one UDP and one TCP packet are sent, and watched
  naru trace --from host --to 127.0.0.1:30080         from this machine to a NodePort
  naru trace web-57d74bff57-fmxjw                     the way out, to the card that this kernel sees and beyond
The exit status is 4 when the packet does not arrive."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("pod", nargs="?", metavar="POD", help="the pod that sends: NAME or NAMESPACE/NAME")
    parser.add_argument("--from", dest="source", choices=[HOST], help="the node sends, not a pod")
    parser.add_argument(
        "--to", default="", metavar="TARGET", help="[pod/|service/][NAMESPACE/]NAME[:PORT] or ADDRESS[:PORT[/udp]]"
    )
    parser.add_argument("-n", "--namespace", default="default", help="of the pod (%(default)s)")
    parser.add_argument("--node", help="the node that sends, with --from host (the only one, or this machine's)")
    parser.add_argument("--probe", action="store_true", help="send one UDP and one TCP packet, and tell what was seen")
    parser.add_argument("--witnesses", metavar="LIST", help="use only these of tracefs,nft,conntrack")
    parser.add_argument("-o", "--output", choices=["json", "yaml", "wide"], help="wide: with what each witness saw")
    parser.add_argument("--kubeconfig", type=pathlib.Path, metavar="FILE", help="ask the cluster of this kubeconfig")


def run(options: argparse.Namespace) -> int:
    """Ask the node and print; 0, or DROPPED when the packet ends on its way."""
    from kubeapi.hardware_v1.trace import Trace
    from naru.connection import Connection, NoClusterError, RefusedError

    if (options.pod is None) == (options.source is None):
        raise CommandError("name the POD that sends, or --from host")
    try:
        connection = Connection(options.data_dir, options.kubeconfig)
        node, source = _sender(options, connection)
        query = {"from": source, "to": options.to, "probe": "1" if options.probe else "0"}
        if options.witnesses is not None:
            query["witnesses"] = options.witnesses
        with connection.send("POST", f"/api/v1/nodes/{node}/proxy/trace", query) as response:
            found = Trace.from_json(response.read())
    except (NoClusterError, RefusedError) as error:
        raise CommandError(str(error)) from error
    _write(found, options.output)
    return DROPPED if found.drop else 0


def _sender(options: argparse.Namespace, connection: Connection) -> tuple[str, str]:
    """The node to ask, and who sends."""
    if options.source:
        from naru.layers.source import own_node

        return options.node or own_node(options, connection), HOST
    namespace, _, name = options.pod.rpartition("/")
    namespace = namespace or options.namespace
    pod = connection.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
    node = pod["spec"].get("nodeName", "")
    if not node:
        raise CommandError(f"pod {namespace}/{name} has no node yet: kubectl describe pod {name} -n {namespace}")
    return node, f"{namespace}/{name}"


def _write(found: Trace, output: str | None) -> None:
    if output == "json":
        import orjson

        print(orjson.dumps(found.to_dict(), option=orjson.OPT_INDENT_2).decode())
    elif output == "yaml":
        import yaml

        yaml.safe_dump(found.to_dict(), sys.stdout, sort_keys=False, allow_unicode=True)
    else:
        print(*table(found, wide=output == "wide"), sep="\n")


def table(found: Trace, wide: bool = False) -> list[str]:
    """The trace as lines of at most WIDTH columns (commands are never cut)."""
    return [*_wrapped(found.summary), "", *_hops(found.hops, wide), *_rest(found)]


def _hops(hops: list[Hop], wide: bool) -> Iterator[str]:
    yield f"{'':>3} {'HOP':11} {'NAME':28} {'STATE':20} {'µs':>8}"
    for number, hop in enumerate(hops, 1):
        at = f"{hop.microseconds:.0f}" if hop.microseconds is not None else ""
        yield f"{number:>3} {hop.kind:11.11} {_cut(hop.name, 28):28} {_state(hop):20} {at:>8}".rstrip()
        yield from _wrapped(hop.says, "    ")
        for sighting in hop.sightings if wide else ():
            saw = sighting.saw or ("saw nothing" if sighting.available else "is not offered here")
            yield from _wrapped(f"{sighting.witness}: {saw}", "      ")


def _state(hop: Hop) -> str:
    able = [sighting for sighting in hop.sightings if sighting.available]
    if not able or hop.state not in ("seen", "differs", "missed"):
        return hop.state
    return f"{hop.state} {sum(bool(s.saw) for s in able)} of {len(able)}"


def _rest(found: Trace) -> Iterator[str]:
    if found.probes:
        yield ""
    for probe in found.probes:
        arrived = {True: "arrived", False: "did not arrive", None: "nobody can see whether it arrived"}[probe.arrived]
        yield from _wrapped(f"{probe.protocol} {probe.source} → {probe.destination} {arrived}: {probe.note}")
    if found.drop:
        yield ""
        yield from _drop(found.drop, found.hops)
    for note in found.notes:
        yield from _wrapped(f"note: {note}")


def _drop(drop: Drop, hops: list[Hop]) -> Iterator[str]:
    name = hops[drop.hop].name if drop.hop < len(hops) else ""
    yield from _wrapped(f"dropped at {drop.hop + 1} {name}: {drop.reason}")
    for word, value in (("rule", drop.rule), ("object", _object(drop.object)), ("mend", drop.mend)):
        if value:
            yield f"  {word:6}  {value}"


def _object(about: ObjectReference | None) -> str:
    return f"{about.kind} {about.namespace}/{about.name}" if about else ""


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
