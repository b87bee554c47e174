"""The picture of a machine as SVG: the boxes, wires and floors of `naru.layers.layout`, with a name for every thing.

The same layers give the same bytes. Each part is a group with `data-part`, its id, and a `<title>` that tells all its facts;
title and description say in words what the picture shows. Colours follow the reader's light or dark.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from xml.sax.saxutils import escape, quoteattr

from kubeapi.hardware_v1.layers import Layers, Part
from naru.layers.labels import Labels, shown
from naru.layers.layout import (
    COLUMNS,
    CONTROL,
    FLOOR_LABEL,
    GAP,
    HEADING,
    LINE,
    PADDING,
    Band,
    Box,
    Picture,
    Wire,
    layout,
)
from naru.layers.terminal import plain, width
from naru.layers.tower import Tower

LETTER = 7.3  # the width of a letter of the monospaced font at 12 px, rounded up
STYLE = """
svg { --paper: #ffffff; --ink: #1c2530; --quiet: #5a6675; --line: #8b98a8; --box: #f4f6f9; --floor: #e9edf2;
  --lit: #0b62c4; --horizon: #8a5a00; background: var(--paper) }
@media (prefers-color-scheme: dark) { svg { --paper: #12171d; --ink: #e6ebf1; --quiet: #a3b0bf; --line: #66758a;
  --box: #1d252f; --floor: #19212a; --lit: #6db3ff; --horizon: #e0b354 } }
text { font: 12px ui-monospace, "DejaVu Sans Mono", "Noto Sans Mono CJK KR", monospace; fill: var(--ink) }
text.title { font-size: 16px; font-weight: 600 } text.heading, .quiet { fill: var(--quiet) }
.box text:first-of-type { font-weight: 600 }
rect { fill: var(--box); stroke: var(--line) } .floor > rect { fill: var(--floor); stroke: none }
path { fill: none; stroke: var(--line); stroke-width: 1.5 } path.translates { stroke-dasharray: 4 3 }
.horizon path { stroke: var(--horizon); stroke-dasharray: 8 6 } .horizon text { fill: var(--horizon) }
.selecting .box, .selecting path.wire { opacity: .3 } .selecting .lit.box, .selecting path.lit.wire { opacity: 1 }
.lit.box > rect { stroke: var(--lit); stroke-width: 2.5 } path.lit.wire { stroke: var(--lit); stroke-width: 2.5 }
"""


def draw(layers: Layers, labels: Labels, lit: Collection[str] = frozenset()) -> str:
    """The picture as an SVG document; the parts whose ids are in `lit` stand out, if there are any."""
    tower, picture = Tower(layers), layout(layers, labels)
    name = layers.metadata.name or "?"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {picture.width} {picture.height}" width="{picture.width}"'
        f' height="{picture.height}" role="img" aria-labelledby="title description" lang="{labels.language}">',
        f'<title id="title">{_text(name)}: {labels.word("word/layers")}</title>',
        f'<desc id="description">{_text(" ".join(_sentences(tower, labels)))}</desc>',
        f"<style>{STYLE}</style>",
        f'<g class="{"selecting" if lit else "all"}">',
        f'<text class="title" x="24" y="36">{_text(name)}</text>',
        *(_heading(column, x, labels) for column, (x, _) in COLUMNS.items()),
        *(_band(band, picture, labels) for band in picture.bands),
        *(_wire(wire, lit) for wire in picture.wires),
        *(_box(box, tower.parts[box.part], lit) for box in picture.boxes),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _sentences(tower: Tower, labels: Labels) -> Iterator[str]:
    """What is to be seen, for who doesn't see it."""
    for pod in tower.pods():
        plugs = "; ".join(labels.plug(plug) for plug in tower.plugs(pod))
        yield f"{labels.kind(pod, tower)} {pod.name}: {plugs or '-'}."
    for horizon in tower.layers.horizons:
        yield f"{labels.word('word/horizon')}: {horizon.says}."


def _heading(column: str, x: int, labels: Labels) -> str:
    return f'<text class="heading" x="{x}" y="{HEADING}">{_text(labels.word(f"column/{column}"))}</text>'


def _band(band: Band, picture: Picture, labels: Labels) -> str:
    word = _text(_cut(labels.word(f"floor/{band.floor}"), FLOOR_LABEL - 40))
    lines = [
        f'<g class="floor" data-floor="{band.floor}">',
        f'<rect x="16" y="{band.y}" width="{picture.width - 32}" height="{band.height}" rx="4"/>',
        f'<text class="heading" x="24" y="{band.y + PADDING + LINE}">{word}</text>',
        "</g>",
    ]
    if band.horizon:
        y = band.y + band.height + GAP // 2
        lines.append(f'<g class="horizon"><path d="M16 {y}H{picture.width - 16}"/>')
        label = labels.word("word/horizon")
        for at, says in enumerate(band.horizon, 1):
            cut = _cut(f"{label}: {says}", picture.width - 48)
            lines.append(f'<text x="24" y="{y + at * LINE}">{_text(cut)}<title>{_text(says)}</title></text>')
        lines.append("</g>")
    return "\n".join(lines)


def _wire(wire: Wire, lit: Collection[str]) -> str:
    (x, y), (right, end) = wire.start, wire.end
    bend = f"C{x + CONTROL} {y} {right - CONTROL} {end} {right} {end}" if y != end else f"H{right}"
    marks = f"{wire.kind} wire lit" if lit and all(part in lit for part in wire.parts) else f"{wire.kind} wire"
    source, target = map(_quoted, wire.parts)
    return f'<path class="{marks}" data-source={source} data-target={target} d="M{x} {y}{bend}"/>'


def _box(box: Box, part: Part, lit: Collection[str]) -> str:
    marks = f"{box.kind} box lit" if box.part in lit else f"{box.kind} box"
    facts = [f"{fact.name}: {shown(fact.value, fact.unit)}" for fact in part.facts]
    title = "\n".join(map(_text, [" · ".join(words.text for words in box.words), *facts]))
    lines = [
        f'<g class="{marks}" data-part={_quoted(box.part)}>',
        f"<title>{title}</title>",
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6"/>',
    ]
    for at, words in enumerate(box.words, 1):
        about = f" data-part={_quoted(words.part)}" if words.part not in ("", box.part) else ""
        quiet = "" if at == 1 else ' class="quiet"'
        cut = _text(_cut(words.text, box.width - 2 * PADDING))
        lines.append(f'<text x="{box.x + PADDING}" y="{box.y + PADDING // 2 + at * LINE}"{about}{quiet}>{cut}</text>')
    return "\n".join([*lines, "</g>"])


def _cut(text: str, pixels: int) -> str:
    """As much of a text as a space holds."""
    room = int(pixels / LETTER)
    if width(text) <= room:
        return text
    while width(text) > room - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def _text(text: str) -> str:
    """Text for XML, which has no control characters."""
    return escape(plain(text))


def _quoted(text: str) -> str:
    return quoteattr(plain(text))
