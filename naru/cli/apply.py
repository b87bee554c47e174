"""`naru apply -f ...`: manifests to the cluster through POST /apply, each step shown as it happens."""

from __future__ import annotations

import argparse
import pathlib
import sys

from controlplane.apiserver.apply_outcome import End, from_json
from naru.cli import CommandError

SUMMARY = "apply manifests and wait until all is ready"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_shared(parser, "until all is ready")
    parser.add_argument("--force-conflicts", action="store_true", help="take over fields that others manage")
    parser.add_argument("--prune", action="store_true", help="remove what was applied with the label and is gone now")
    parser.add_argument("-l", "--selector", default="", metavar="LABEL=VALUE", help="what --prune may remove")


def add_shared(parser: argparse.ArgumentParser, goal: str) -> None:
    """The options that apply and delete have in common."""
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        required=True,
        metavar="FILE",
        help="a file, a folder, or - (standard input)",
    )
    parser.add_argument("-R", "--recursive", action="store_true", help="also the folders within a folder")
    parser.add_argument("-n", "--namespace", default="default", help="of objects that name none (%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="tell what would become of each, change nothing")
    parser.add_argument("--no-wait", dest="wait", action="store_false", help=f"do not wait {goal}")
    parser.add_argument("--timeout", default="300", metavar="SECONDS", help="for the wait (%(default)s)")
    parser.add_argument("--kubeconfig", type=pathlib.Path, metavar="FILE", help="go by HTTPS with its token")


def run(options: argparse.Namespace) -> int:
    """Apply, show progress; 0 when all is as asked."""
    query = {"force": "true"} if options.force_conflicts else {}
    if options.prune:
        query["prune"] = "true"
    if options.selector:
        query["selector"] = options.selector
    return show(options, "POST", query | ({"wait": "ready"} if options.wait else {}))


def show(options: argparse.Namespace, method: str, query: dict[str, str]) -> int:
    """Send the manifests to /apply, print each record as it comes; the exit status."""
    import orjson

    from naru import manifests
    from naru.connection import Connection, NoClusterError, RefusedError
    from naru.kubeconfig import KubeconfigError

    query |= {"namespace": options.namespace, "timeout": options.timeout}
    if options.dry_run:
        query["dryRun"] = "All"
    end = None
    try:
        body = orjson.dumps(manifests.read(options.filename, recursive=options.recursive))
        connection = Connection(options.data_dir, options.kubeconfig)
        with connection.send(method, "/apply", query, body, "application/x-ndjson") as response:
            for line in response:
                record = from_json(line)
                end = record if isinstance(record, End) else None
                failed = end is not None and not end.ok
                print(
                    f"naru: {record.text}" if failed else record.text, file=sys.stderr if failed else None, flush=True
                )
    except TypeError as error:  # a number beyond 64 bits
        raise CommandError(f"the manifests can't be sent: {error}") from error
    except (manifests.ManifestError, NoClusterError, RefusedError, KubeconfigError, OSError) as error:
        raise CommandError(" ".join(str(error).split())) from error
    if end is None:
        raise CommandError("the API server hung up before the end")
    return 0 if end.ok else 1
