"""`naru why OBJECT`: the causal chain from an object to the root cause. Exit status 1 when something is wrong."""

from __future__ import annotations

import argparse
import pathlib
import shutil
import sys

from naru.cli import CommandError

SUMMARY = "tell why an object is as it is: the chain of causes, with evidence"
WRONG, USAGE = 1, 2
LONGEST = 120
EXAMPLES = """examples:
  naru why deploy/web -n shop       why a rollout does not end
  naru why pod web-57d74bff57-fmxjw why a pod is pending, not ready or restarting; or who ended it
  naru why svc/was -n shop          why a Service leads nowhere
  naru why node/one                 why a node is not ready
Asked for can be: pod, deployment, replicaset, service, persistentvolumeclaim, node, namespace.
The exit status is 0 when nothing is wrong, 1 when something is, 2 when the question can't be asked so."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("object", nargs="+", metavar="OBJECT", help="KIND/NAME or KIND NAME, as kubectl takes them")
    parser.add_argument("-n", "--namespace", default="default", help="of the object (%(default)s)")
    parser.add_argument("-o", "--output", choices=["json"], help="the same for programs")
    parser.add_argument("--kubeconfig", type=pathlib.Path, metavar="FILE", help="ask the cluster of this kubeconfig")


def run(options: argparse.Namespace) -> int:
    """Ask, explain, print."""
    words = options.object[0].split("/") if len(options.object) == 1 else options.object
    if len(words) != 2 or not all(words):
        return _usage("name one object, as KIND/NAME or KIND NAME: naru why deploy/web")
    from kubeapi import registry as kinds
    from kubeapi.clock import SystemClock
    from naru.connection import Connection, NoClusterError, RefusedError
    from naru.why.source import NoKindError, kind_called, read_logs, read_world
    from naru.why.why import RULES, why

    registry = kinds.load()
    try:
        kind = kind_called(registry, words[0])
    except NoKindError as error:
        return _usage(str(error))
    if kind.model not in RULES:
        known = ", ".join(sorted(model.__name__.lower() for model in RULES))
        return _usage(f"there is no rule for a {kind.kind}; there are for: {known}")
    try:
        connection = Connection(options.data_dir, options.kubeconfig)
        namespace = options.namespace if kind.namespaced else ""
        looked_at = namespace or (words[1] if kind.plural == "namespaces" else "default")  # where Nodes' Events are
        world = read_world(connection, registry, looked_at, SystemClock().now())
        report = why(world, kind.model, namespace, words[1])
        report = report.with_logs(read_logs(connection, report.logs()))
    except (NoClusterError, RefusedError) as error:
        raise CommandError(str(error)) from error
    if options.output == "json":
        import orjson

        from naru.why.text import as_json

        print(orjson.dumps(as_json(report), option=orjson.OPT_INDENT_2).decode())
    else:
        from naru.why.text import lines

        print(*lines(report, min(shutil.get_terminal_size((100, 24)).columns, LONGEST)), sep="\n")
    return WRONG if report.wrong else 0


def _usage(message: str) -> int:
    print(f"naru why: {message}", file=sys.stderr)
    return USAGE
