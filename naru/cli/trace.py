"""`naru trace POD --to ...`: the packet's way, hop by hop, predicted by the pod's node; with --probe, proven there."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from naru.cli import CommandError
from naru.layers.terminal import padded, pieces, width

if TYPE_CHECKING:
    from kubeapi.core_v1.types import ObjectReference
    from kubeapi.hardware_v1.trace import Drop, Hop, Trace
    from naru.connection import Connection
    from naru.layers.labels import Labels

SUMMARY = "follow a packet hop by hop: predicted, or proven with --probe"
WIDTH = 80
DROPPED = 4
HOST = "host"
ARRIVED = {True: "arrived", False: "lost-on-its-way", None: "unseen"}
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
    parser.add_argument("--words", choices=("linux", "vmware"), default="linux", help="whose words the kinds are in")
    parser.add_argument("--language", choices=("en", "ko"), help="of all that is told (as the locale says)")
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
    _write(found, options)
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


def _write(found: Trace, options: argparse.Namespace) -> None:
    from naru.cli.layers import document, labels, told_in

    if options.output in ("json", "yaml"):
        print(document(found, options.output), end="")
    else:
        reader = labels(options)
        print(*table(told_in(found, reader.language), reader, wide=options.output == "wide"), sep="\n")


def table(found: Trace, labels: Labels, wide: bool = False) -> list[str]:
    """The trace as lines of at most WIDTH columns (commands are never cut)."""
    return [*_wrapped(found.summary), "", *_hops(found.hops, labels, wide), *_rest(found, labels)]


def _hops(hops: list[Hop], labels: Labels, wide: bool) -> Iterator[str]:
    what, name, state = (labels.word(f"word/{word}").upper() for word in ("hop", "name", "state"))
    yield _row("", what, name, state, "µs")
    for number, hop in enumerate(hops, 1):
        at = f"{hop.microseconds:.0f}" if hop.microseconds is not None else ""
        yield _row(str(number), labels.word(f"kind/{hop.kind}"), hop.name, _state(hop, labels), at)
        yield from _wrapped(hop.says, "    ")
        for sighting in hop.sightings if wide else ():
            saw = sighting.saw or labels.word("word/nothing" if sighting.available else "word/without")
            yield from _wrapped(f"{sighting.witness}: {saw}", "      ")


def _row(number: str, kind: str, name: str, state: str, at: str) -> str:
    cells = (
        padded(_cut(text, columns), columns, numbers=False) for text, columns in ((kind, 11), (name, 28), (state, 20))
    )
    return f"{number:>3} {' '.join(cells)} {at:>8}".rstrip()


def _state(hop: Hop, labels: Labels) -> str:
    word = labels.word(f"state/{hop.state}")
    able = [sighting for sighting in hop.sightings if sighting.available]
    if not able or hop.state not in ("seen", "differs", "missed"):
        return word
    return f"{word} {labels.word('word/of').format(sum(bool(s.saw) for s in able), len(able))}"


def _rest(found: Trace, labels: Labels) -> Iterator[str]:
    if found.probes:
        yield ""
    for probe in found.probes:
        arrived = labels.word(f"word/{ARRIVED[probe.arrived]}")
        yield from _wrapped(f"{probe.protocol} {probe.source} → {probe.destination} {arrived}: {probe.note}")
    if found.drop:
        yield ""
        yield from _drop(found.drop, found.hops, labels)
    for note in found.notes:
        yield from _wrapped(f"{labels.word('word/note')}: {note}")


def _drop(drop: Drop, hops: list[Hop], labels: Labels) -> Iterator[str]:
    name = hops[drop.hop].name if drop.hop < len(hops) else ""
    yield from _wrapped(f"{labels.word('word/dropped').format(f'{drop.hop + 1} {name}')}: {drop.reason}")
    for word, value in (("rule", drop.rule), ("object", _object(drop.object)), ("mend", drop.mend)):
        if value:
            yield f"  {padded(labels.word(f'word/{word}'), 8, numbers=False)}{value}"


def _object(about: ObjectReference | None) -> str:
    return f"{about.kind} {about.namespace}/{about.name}" if about else ""


def _wrapped(text: str, indent: str = "") -> list[str]:
    first, *rest = pieces(text, WIDTH - len(indent) - 2)
    return [f"{indent}{first}", *(f"{indent}  {piece}" for piece in rest)]


def _cut(text: str, columns: int) -> str:
    while width(text) > columns:
        text = f"{text.removesuffix('…')[:-1]}…"
    return text
