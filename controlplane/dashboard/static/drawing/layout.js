/**
 * Where everything stands: a scene and a width in, rectangles and lines out. No DOM, no fonts: a text's width is asked of
 * `measure`, so the same numbers come out in a test. Two forms of one drawing: columns beside each other where there is room
 * (`across`), and the same columns as rows, the pod on top, where there is not (`down`).
 *
 * Nothing overlaps but a frame and what is in it; what is not on the path is a count, so the cost does not grow with the
 * number of pods.
 */

import { STAGES } from "./scene.js";
import { wiresOf } from "./wires.js";

const NARROW = 760; // pixels below which columns become rows

/** Sizes in pixels at scale 1. */
export const SIZES = { box: 62, head: 34, count: 34, gap: 14, lane: 30, margin: 12, frame: 12, title: 44, floor: 66, label: 24, line: 20 };

/** How much larger everything is on a wide screen, so that it is read from as far away. */
export const scaleOf = (width) => Math.min(1.6, Math.max(1, width / 1100));

/**
 * The layout of a scene, `width` pixels wide: {width, height, scale, form, columns, boxes, frames, heads, counts, wires, floors,
 * horizon}; every rectangle is {key, x, y, width, height}, every wire {from, to, points}.
 */
export function layoutOf(scene, width, measure) {
  const scale = scaleOf(width);
  const size = Object.fromEntries(Object.entries(SIZES).map(([name, pixels]) => [name, Math.round(pixels * scale)]));
  const form = width < NARROW ? "down" : "across";
  const top = form === "across" ? across(scene, width, size) : down(scene, width, size);
  const anchors = [...top.boxes, ...top.heads];
  const wires = wiresOf(scene.route, anchors, form, size, width);
  const floors = floorsAt(scene.floors, top.height + size.lane, width, size, form);
  const horizon = horizonAt(scene.horizons, floors.height + size.gap, width, size, measure);
  return { ...top, width, height: horizon.y + horizon.height, scale, form, wires, floors: floors.floors, horizon };
}

/** Columns beside each other. Each lane is as high as its highest column; what is shared stands between them. */
function across(scene, width, size) {
  const columns = columnsAt(scene, width, size);
  const at = new Map(columns.map((column) => [column.stage, column]));
  const start = size.title + size.gap;
  const laneHeight = (lane) => Math.max(0, ...STAGES.map((stage) => stackHeight(nodesAt(scene, stage, lane), size)));
  const headed = (lane) => scene.pods.filter((pod) => pod.lane === lane).length * (size.head + size.frame * 2);
  const from = { y: start, height: laneHeight("from") + headed("from") };
  const to = { y: from.y + from.height + size.lane, height: laneHeight("to") + headed("to") };
  const lanesEnd = to.height ? to.y + to.height : from.y + from.height;
  const boxes = [];
  const place = (nodes, column, y) => {
    for (const node of nodes) {
      boxes.push({ key: node.key, x: column.x, y, width: column.width, height: size.box });
      y += size.box + size.gap;
    }
    return y;
  };
  let lowest = lanesEnd;
  for (const [lane, span] of [["from", from], ["to", to]]) {
    const inset = scene.pods.some((pod) => pod.lane === lane) ? size.head + size.frame : 0;
    for (const stage of STAGES) {
      const nodes = nodesAt(scene, stage, lane);
      const room = span.height - inset - (inset ? size.frame : 0) - stackHeight(nodes, size);
      place(nodes, at.get(stage), span.y + inset + (stage === "pod" ? 0 : Math.max(0, room / 2)));
    }
  }
  for (const stage of STAGES) {
    const nodes = nodesAt(scene, stage, "middle");
    const centred = start + (lanesEnd - start - stackHeight(nodes, size)) / 2;
    const taken = boxes.filter((box) => box.x === at.get(stage).x && box.y + box.height + size.gap > centred);
    const y = Math.max(start, taken.length ? Math.max(...taken.map((box) => box.y + box.height + size.gap)) : centred);
    lowest = Math.max(lowest, place(nodes, at.get(stage), y) - size.gap);
  }
  const { frames, heads } = framesAround(scene, boxes, size);
  const counts = [];
  const countsY = lowest + size.lane;
  let height = countsY;
  for (const column of columns) {
    let y = countsY;
    for (const count of scene.counts.filter(({ stage }) => stage === column.stage)) {
      counts.push({ key: count.key, x: column.x, y, width: column.width, height: size.count });
      y += size.count + size.gap / 2;
    }
    height = Math.max(height, y);
  }
  return { columns: columns.map((column) => ({ ...column, y: size.margin, height: size.title })), boxes, frames, heads, counts, height };
}

function columnsAt(scene, width, size) {
  const room = width - 2 * size.margin - 2 * size.frame;
  const gap = Math.max(size.gap * 2, Math.round(room * 0.032));
  const each = (room - gap * (STAGES.length - 1)) / STAGES.length;
  return STAGES.map((stage, position) => ({ stage, x: size.margin + size.frame + position * (each + gap), width: each }));
}

/** The same columns as rows, pod first; the two lanes stand side by side, what they share across both. */
function down(scene, width, size) {
  const half = (width - 2 * size.margin - size.gap) / 2;
  const sole = !scene.nodes.some((node) => node.lane === "to");
  const lanes = {
    from: { x: size.margin, width: sole ? width - 2 * size.margin : half },
    to: { x: size.margin + half + size.gap, width: half },
    middle: { x: size.margin, width: width - 2 * size.margin - size.lane },
  };
  const boxes = [];
  const ends = [];
  for (const lane of ["from", "to"]) {
    const framed = scene.pods.some((pod) => pod.lane === lane);
    let y = size.margin + (framed ? size.head + size.frame : 0);
    for (const stage of [...STAGES].reverse()) {
      for (const node of nodesAt(scene, stage, lane)) {
        const inset = node.pod ? size.frame / 2 : 0;
        if (!node.pod && boxes.some((box) => box.lane === lane && box.framed)) y = Math.max(y, framedEnd(boxes, lane) + size.frame + size.lane);
        boxes.push({ key: node.key, x: lanes[lane].x + inset, y, width: lanes[lane].width - 2 * inset, height: size.box, lane, framed: !!node.pod });
        y += size.box + size.lane;
      }
    }
    ends.push(y);
  }
  let y = Math.max(...ends) + size.gap;
  for (const stage of [...STAGES].reverse()) {
    for (const node of nodesAt(scene, stage, "middle")) {
      boxes.push({ key: node.key, ...lanes.middle, y, height: size.box, lane: "middle" });
      y += size.box + size.lane;
    }
  }
  const { frames, heads } = framesAround(scene, boxes, size);
  const counts = scene.counts.map((count, position) => ({
    key: count.key,
    x: size.margin + (position % 2) * (half + size.gap),
    y: y + Math.floor(position / 2) * (size.count + size.gap / 2),
    width: half,
    height: size.count,
  }));
  return { columns: [], boxes, frames, heads, counts, height: Math.max(y, ...counts.map((count) => count.y + count.height)) };
}

const framedEnd = (boxes, lane) => Math.max(...boxes.filter((box) => box.lane === lane && box.framed).map((box) => box.y + box.height));

function nodesAt(scene, stage, lane) {
  return scene.nodes.filter((node) => node.stage === stage && node.lane === lane);
}

const stackHeight = (nodes, size) => (nodes.length ? nodes.length * (size.box + size.gap) - size.gap : 0);

/** A pod's frame around its boxes, and its head: the pod's own name, which is a thing to select like any other. */
function framesAround(scene, boxes, size) {
  const frames = [];
  const heads = [];
  const podOf = new Map(scene.nodes.map((node) => [node.key, node.pod]));
  for (const pod of scene.pods) {
    const inside = boxes.filter((box) => podOf.get(box.key) === pod.key);
    if (!inside.length) continue;
    const x = Math.min(...inside.map((box) => box.x)) - size.frame / 2;
    const y = Math.min(...inside.map((box) => box.y)) - size.head - size.frame;
    const right = Math.max(...inside.map((box) => box.x + box.width)) + size.frame / 2;
    const bottom = Math.max(...inside.map((box) => box.y + box.height)) + size.frame;
    frames.push({ key: pod.key, x, y, width: right - x, height: bottom - y });
    heads.push({ key: pod.key, x: x + size.frame / 2, y: y + size.frame / 2, width: right - x - size.frame, height: size.head });
  }
  return { frames, heads };
}

function floorsAt(floors, y, width, size, form) {
  const label = form === "across" ? Math.round(size.floor * 2) : 0;
  const room = width - 2 * size.margin - label - size.gap;
  const least = Math.min(room, form === "across" ? size.floor * 3 : size.floor * 1.7);
  const beside = Math.max(1, Math.floor((room + size.gap) / (least + size.gap)));
  const placed = floors.map((floor) => {
    const keys = [...floor.parts.map((part) => part.id), ...(floor.rest.length ? [`${floor.key}/rest`] : [])];
    const across = Math.min(beside, keys.length);
    const each = (room - (across - 1) * size.gap) / across;
    const above = form === "across" ? size.gap / 2 : size.label;
    const cells = keys.map((key, position) => ({
      key,
      x: size.margin + label + size.gap / 2 + (position % across) * (each + size.gap),
      y: y + above + Math.floor(position / across) * (size.box + size.gap / 2),
      width: each,
      height: size.box,
    }));
    const height = cells.at(-1).y + size.box + size.gap / 2 - y;
    const result = { key: floor.key, floor: floor.floor, x: size.margin, y, width: width - 2 * size.margin, height, label, cells };
    y += height;
    return result;
  });
  return { floors: placed, height: y };
}

function horizonAt(horizons, y, width, size, measure) {
  const room = width - 2 * size.margin - size.frame * 2;
  const lines = horizons.flatMap(({ says }) => wrap(says, room, measure));
  return { key: "horizon", x: size.margin, y, width: width - 2 * size.margin, height: size.label * 1.6 + lines.length * size.line + size.gap, lines };
}

/** Words put into lines no wider than `room`; a word that is wider stands alone. */
export function wrap(text, room, measure) {
  const lines = [];
  for (const word of text.split(/\s+/)) {
    const line = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && measure(line) <= room) lines[lines.length - 1] = line;
    else lines.push(word);
  }
  return lines;
}
