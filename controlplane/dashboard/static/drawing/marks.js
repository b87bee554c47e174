/** The drawing's SVG, built from a layout. What is drawn here holds no state: how a hop stands is a class, set by `light`. */

import { svg } from "../dom.js";
import { gist } from "./facts.js";
import { SIGNS } from "./hops.js";
import { fit } from "./text.js";

const SANS = "system-ui, 'Noto Sans KR', 'Noto Sans CJK KR', sans-serif";
const MONO = "ui-monospace, 'DejaVu Sans Mono', monospace";
const RANKS = ["", "declared", "predicted", "seen", "missed", "differs", "dropped"]; // the worst last

/** The fonts at a scale: `small` for kinds and gists, `name` for names, `text` for sentences. */
export const fontsAt = (scale) => ({
  small: `${Math.round(11.5 * scale * 2) / 2}px ${SANS}`,
  name: `600 ${Math.round(13 * scale * 2) / 2}px ${MONO}`,
  text: `${Math.round(13 * scale * 2) / 2}px ${SANS}`,
});

/**
 * The whole picture. known is the indexed document; speech the words; onSelect(key) is told which part was chosen. Answers
 * {root, parts}: the SVG element, and the element of each key.
 */
export function drawingOf(scene, layout, { known, trace, speech, name, onSelect }) {
  const fonts = fontsAt(layout.scale);
  const parts = new Map();
  const nodes = new Map([...scene.nodes, ...scene.pods].map((node) => [node.key, node]));
  const add = (key, element) => {
    parts.set(key, element);
    return element;
  };
  const pick = (key) => ({
    onclick: () => onSelect(key),
    onkeydown: (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      onSelect(key);
    },
  });
  const card = (box, kind, title, line, label, hops, extra = "") => {
    const room = box.width - 20 * layout.scale;
    const flat = box.height < 50 * layout.scale;
    const [x, middle] = [box.x + 10 * layout.scale, box.y + box.height / 2];
    const drawn = [svg("title", {}, label), svg("rect", { class: "plate", ...rectangle(box), rx: 7 * layout.scale })];
    if (flat) drawn.push(text(x, middle + 4.5 * layout.scale, "name", title, room, fonts));
    else {
      drawn.push(text(x, box.y + 18 * layout.scale, "kind", kind, room - (hops.length ? 14 * layout.scale : 0), fonts, "small"));
      drawn.push(text(x, box.y + 36 * layout.scale, "name", title, room, fonts));
      if (line) drawn.push(text(x, box.y + 53 * layout.scale, "gist", line, room, fonts, "small"));
    }
    const first = hops.length ? trace.hops[hops[0]] : null;
    if (first) {
      const sign = svg("text", { class: "sign", x: box.x + box.width - 9 * layout.scale, y: box.y + 18 * layout.scale, "text-anchor": "end" });
      const time = svg("text", { class: "time", x: box.x + box.width - 9 * layout.scale, y: box.y + (flat ? 20 : 53) * layout.scale, "text-anchor": "end" });
      sign.style.font = time.style.font = fonts.small;
      drawn.push(sign, time);
    }
    const attributes = { class: `part kind-${kind === "" ? "none" : "any"} ${extra}`.trim(), role: "button", tabindex: hops.length ? -1 : 0, "aria-label": label, "data-key": box.key };
    return add(box.key, svg("g", { ...attributes, ...pick(box.key) }, drawn));
  };
  const nodeCard = (box) => {
    const node = nodes.get(box.key);
    const kind = speech.kind(node.part ?? node, node.stage === "inner");
    const hop = node.hops.length ? trace.hops[node.hops[0]] : null;
    const step = hop ? `${speech.say("path/hop", { n: node.hops[0] + 1, of: trace.hops.length })}: ` : "";
    const label = `${step}${kind} ${node.name}${hop ? `, ${hop.says}` : ""}`;
    return card(box, kind, node.name, gist(node.part, speech) || (hop?.says ?? ""), label, node.hops, hop ? "hop" : "");
  };
  const countCard = (box) => {
    const count = scene.counts.find(({ key }) => key === box.key);
    const kind = speech.term(`kind/${count.kind}`);
    const n = count.parts.length;
    if (n === 1) return card(box, kind, `${kind} ${count.parts[0].name}`, "", `${kind} ${count.parts[0].name}`, [], "count");
    return card(box, kind, speech.say("path/others", { n, kind }), "", speech.say("path/othersName", { n, kind }), [], "count");
  };
  const floorCell = (floor) => (box) => {
    const part = known.parts.get(box.key);
    if (part) return card(box, speech.kind(part), part.name, gist(part, speech), `${speech.kind(part)} ${part.name}`, [], `on-${floor.floor}`);
    const rest = scene.floors.find(({ key }) => key === floor.key).rest;
    const kinds = [...new Set(rest.map((part) => speech.kind(part)))].join(", ");
    return card(box, kinds, `+${rest.length}`, "", speech.say("path/othersName", { n: rest.length, kind: kinds }), [], "count");
  };
  const root = svg(
    "svg",
    { class: `path-drawing form-${layout.form}`, role: "group", "aria-label": name, width: layout.width, height: layout.height, viewBox: `0 0 ${layout.width} ${layout.height}` },
    markers(),
    layout.columns.map((column) => columnHead(column, layout, speech, fonts)),
    layout.floors.map((floor) => floorBand(floor, layout, speech, fonts)),
    horizonOf(layout, speech, fonts),
    layout.frames.map((frame) => svg("rect", { class: "frame", ...rectangle(frame), rx: 12 * layout.scale })),
    svg("g", { class: "wires", "aria-hidden": "true" }, layout.wires.map((wire) => svg("path", { class: "wire", "data-hop": wire.hop, d: rounded(wire.points, 8 * layout.scale), "marker-end": "url(#drawing-arrow)" }))),
    inOrder([...layout.boxes, ...layout.heads], nodes).map(nodeCard),
    layout.counts.map(countCard),
    layout.floors.flatMap((floor) => floor.cells.map(floorCell(floor))),
    svg("circle", { class: "packet", r: 7 * layout.scale, cx: -99, cy: -99, "aria-hidden": "true" }),
  );
  return { root, parts };
}

/** Boxes in the order of the way, then the others: the order in which the Tab key and a screen reader meet them. */
function inOrder(boxes, nodes) {
  const first = ({ key }) => nodes.get(key).hops[0] ?? Infinity;
  return boxes.toSorted((a, b) => (first(a) === first(b) ? 0 : first(a) - first(b)));
}

/** Shows how each hop stands: `states` is one word per hop (`""`: not yet known). A box with several hops shows the worst. */
export function light({ root, parts }, scene, trace, states) {
  for (const node of [...scene.nodes, ...scene.pods]) {
    const element = parts.get(node.key);
    if (!element || !node.hops.length) continue;
    const state = node.hops.map((hop) => states[hop]).reduce((worst, each) => (RANKS.indexOf(each) > RANKS.indexOf(worst) ? each : worst), "");
    become(element, state);
    const times = node.hops.map((hop) => trace.hops[hop].microseconds).filter((time) => time !== null && time !== undefined);
    element.querySelector(".sign").textContent = SIGNS[state] ?? "";
    const told = times.length && !["predicted", ""].includes(state) ? `+${Math.round(times[0])} µs` : "";
    element.querySelector(".time").textContent = told;
    element.querySelector(".gist")?.classList.toggle("beside-time", told !== "");
  }
  const end = states.indexOf("dropped");
  for (const wire of root.querySelectorAll(".wire")) become(wire, end >= 0 && wire.dataset.hop > end ? "never" : states[wire.dataset.hop]);
}

function become(element, state) {
  for (const each of [...RANKS, "never"]) if (each) element.classList.toggle(`is-${each}`, each === state);
}

function columnHead(column, layout, speech, fonts) {
  const x = column.x + column.width / 2;
  const key = { inner: "column/inner-nic", port: "kind/veth" }[column.stage] ?? `column/${column.stage}`;
  return svg(
    "g",
    { class: "column" },
    text(x, column.y + 16 * layout.scale, "column-name", speech.term(key), column.width, fonts, "text", "middle"),
    text(x, column.y + 33 * layout.scale, "column-where", speech.say(`stage/${column.stage}`), column.width + 12 * layout.scale, fonts, "small", "middle"),
  );
}

function floorBand(floor, layout, speech, fonts) {
  const across = layout.form === "across";
  const y = across ? floor.y + floor.height / 2 + 5 * layout.scale : floor.y + 17 * layout.scale;
  const room = across ? floor.label - 16 * layout.scale : floor.width;
  return svg("g", { class: `floor floor-${floor.floor}` }, svg("rect", { class: "band", ...rectangle(floor) }), text(floor.x + 10 * layout.scale, y, "floor-name", speech.term(`floor/${floor.floor}`), room, fonts, "text"));
}

function horizonOf({ horizon, width, scale }, speech, fonts) {
  const top = horizon.y + 8 * scale;
  const lines = horizon.lines.map((line, position) => text(horizon.x + 12 * scale, top + 46 * scale + position * 20 * scale, "horizon-says", line, width, fonts, "text"));
  return svg("g", { class: "horizon" }, svg("line", { x1: 0, x2: width, y1: top, y2: top }), text(horizon.x + 12 * scale, top + 22 * scale, "horizon-name", speech.term("word/horizon"), width, fonts, "text"), lines);
}

function text(x, y, kind, content, room, fonts, font = "name", anchor = "start") {
  const element = svg("text", { class: kind, x, y, "text-anchor": anchor }, fit(content, room, fonts[font]));
  element.style.font = fonts[font];
  return element;
}

const rectangle = ({ x, y, width, height }) => ({ x, y, width, height });

const markers = () =>
  svg("defs", {}, svg("marker", { id: "drawing-arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto", markerUnits: "userSpaceOnUse" }, svg("path", { class: "arrow", d: "M0 0 8 4 0 8z" })));

/** A line through points with its corners rounded. */
export function rounded(points, radius) {
  let path = `M${points[0].join(" ")}`;
  for (let position = 1; position < points.length - 1; position++) {
    const [before, corner, after] = points.slice(position - 1, position + 2);
    const cut = (towards) => {
      const [dx, dy] = [towards[0] - corner[0], towards[1] - corner[1]];
      const length = Math.hypot(dx, dy) || 1;
      const share = Math.min(radius, length / 2) / length;
      return `${corner[0] + dx * share} ${corner[1] + dy * share}`;
    };
    path += `L${cut(before)}Q${corner.join(" ")} ${cut(after)}`;
  }
  return `${path}L${points.at(-1).join(" ")}`;
}
