"""`naru layers`: what stands beneath the containers of a machine, from the NIC up.

The tower itself, its picture and its differences are shown here. Other questions are modes of the command (MODES): a
module of naru/layers each, with `SUMMARY`, `add_arguments(parser)` for options of its own and `run(options) -> int`; the
flag is the module's name. They ask `naru.layers.source` for their document. A mode's module is imported for its options'
sake whenever the command is: heavy imports belong into its `run`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from naru.cli import CommandError
from naru.layers import source

if TYPE_CHECKING:
    from kubeapi.hardware_v1.layers import Layers
    from kubeapi.hardware_v1.terms import Language
    from kubeapi.model import Model
    from naru.layers.labels import Labels

SUMMARY = "show what stands beneath the containers: NIC, switch, NAT, kernel, runtime"
MODES = ("memory", "as_vms", "check")
DIFFERENT = 1
M = TypeVar("M", bound="Model")
EXAMPLES = """examples:
  naru layers                                  the tower, one screen
  naru layers worker-2                         another node of the cluster
  naru layers -o wide                          every part, every fact
  naru layers --evidence | less                where each fact was read, what stood there, how sure it is
  naru layers --select web                     only what the pods called web-... need, down to the NIC
  naru layers --words vmware --language ko     a bridge is VMnet, masquerading the NAT device; in Korean
  naru layers -o json > before.json            a snapshot (also: -o yaml)
  naru layers --file before.json               that snapshot, shown again
  naru layers --diff before.json after.json    what changed in between; exit status 1 if something did
  naru layers --svg layers.svg --select shop/web-57d74bff57-fmxjw
                                               the picture, with one pod's way lit
  naru layers --memory                         promised, resident, charged and limited, per pod and process
  naru layers --memory --promise               40 GiB promised to ten processes, and almost nothing taken
  naru layers --as-vms                         what runs now, had each pod a virtual machine
  naru layers --check                          which witnesses this kernel offers, and how to allow the others
Without a running cluster this machine is looked at directly (sudo tells more)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command and of its modes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.set_defaults(mode="")
    source.add_arguments(parser)
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument(
        "--evidence", action="store_true", help="tell for each fact where it was read, and how sure it is"
    )
    modes.add_argument(
        "--svg", type=pathlib.Path, metavar="FILE", help="draw the picture into FILE (-: standard output)"
    )
    modes.add_argument(
        "--diff", nargs=2, type=pathlib.Path, metavar=("A", "B"), help="what changed from snapshot A to B"
    )
    for name in MODES:
        module = importlib.import_module(f"naru.layers.{name}")
        flag = f"--{name.replace('_', '-')}"
        modes.add_argument(flag, dest="mode", action="store_const", const=name, help=module.SUMMARY)
        module.add_arguments(parser.add_argument_group(f"with {flag}"))
    forms = ("json", "yaml", "wide")
    parser.add_argument("--output", "-o", choices=forms, help="json and yaml hold everything; wide leaves nothing out")
    parser.add_argument(
        "--select", metavar="POD", help="only what this pod needs: NAME, NAMESPACE/NAME, or how it begins"
    )
    parser.add_argument(
        "--file", type=pathlib.Path, metavar="FILE", help="show this snapshot (made by -o json; -: stdin)"
    )
    parser.add_argument("--words", choices=("linux", "vmware"), default="linux", help="whose words the labels are in")
    parser.add_argument("--language", choices=("en", "ko"), help="of the labels (as the locale says)")


def run(options: argparse.Namespace) -> int:
    """Show the tower, or do what the mode does."""
    if options.mode:
        return int(importlib.import_module(f"naru.layers.{options.mode}").run(options))
    if options.diff:
        return _diff(options)
    layers = snapshot(options.file) if options.file else source.layers(options)
    if options.output not in ("json", "yaml"):  # what programs read is in one language
        layers = told_in(layers, language(options))
    if options.svg:
        return _draw(layers, options)
    if options.select:
        from naru.layers.tower import only

        layers = only(layers, _selected(layers, options.select))
    if options.output in ("json", "yaml"):
        print(document(layers, options.output), end="")
        return 0
    from naru.layers.terminal import Look
    from naru.layers.tree import Options, tree

    print(tree(layers, Options(labels(options), options.output == "wide", options.evidence), Look.of(sys.stdout)))
    return 0


def labels(options: argparse.Namespace) -> Labels:
    """The reader's words."""
    from naru.layers.labels import Labels

    return Labels(options.words, language(options))


def language(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Language:
    """The locale's, unless one was said."""
    locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environment.get(name))), "")
    told: Language | None = options.language
    return told or ("ko" if locale.startswith("ko") else "en")


def told_in(document: M, language: Language) -> M:
    """A document with its sentences in a language; the catalogue is loaded only for those who need it."""
    if language == "en":
        return document
    from kubeapi.hardware_v1.korean import told_in_korean

    return told_in_korean(document)


def document(model: Model, form: str) -> str:
    """A document as text that a program reads."""
    if form == "json":
        return model.model_dump_json(by_alias=True, exclude_defaults=True, indent=2) + "\n"
    import yaml

    return str(yaml.dump(model.to_dict(), Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True))


def snapshot(path: pathlib.Path) -> Layers:
    """The layers that a file holds."""
    from pydantic import ValidationError

    from kubeapi.hardware_v1.layers import Layers

    try:
        layers = Layers.from_json(sys.stdin.read() if path == pathlib.Path("-") else path.read_bytes())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise CommandError(f"{path} holds no layers: `naru layers -o json > FILE` makes such a file") from error
    if layers.kind != "Layers":
        raise CommandError(f"{path} holds no layers but {layers.kind}")
    return layers


def _diff(options: argparse.Namespace) -> int:
    from naru.layers.difference import difference, text
    from naru.layers.terminal import Look

    before, after = map(snapshot, options.diff)
    if options.output not in ("json", "yaml"):
        before, after = (told_in(one, language(options)) for one in (before, after))
    found = difference(before, after)
    if options.output in ("json", "yaml"):
        print(document(found, options.output), end="")
    else:
        print(text(found, before, after, labels(options), Look.of(sys.stdout)))
    return DIFFERENT if found else 0


def _selected(layers: Layers, name: str) -> set[str]:
    """The ids of what the pods of a name need."""
    from naru.layers.tower import Tower

    tower = Tower(layers)
    pods = tower.find(name)
    if not pods:
        known = ", ".join(pod.id.removeprefix("pod/") for pod in tower.pods())
        raise CommandError(f"no pod is called {name}; there {f'are {known}' if known else 'is none'}")
    return set().union(*(tower.way(pod.id) for pod in pods))


def _draw(layers: Layers, options: argparse.Namespace) -> int:
    from naru.layers.drawing import draw

    picture = draw(layers, labels(options), _selected(layers, options.select) if options.select else frozenset())
    if options.svg == pathlib.Path("-"):
        print(picture, end="")
        return 0
    try:
        options.svg.write_text(picture)
    except OSError as error:
        raise CommandError(f"{options.svg}: {error.strerror}") from error
    return 0
