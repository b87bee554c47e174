/**
 * The packet's line through the boxes, from stop to stop with right angles: out of the side that faces the next box, and
 * around what stands between. Ends that share a side are spread over it, so a way forth and back are two lines.
 */

/** A wire per step of the route: {from, to, points}; points are [x, y]. Steps that stay in one box are left out. */
export function wiresOf(route, boxes, form, size, width) {
  const at = new Map(boxes.map((box) => [box.key, box]));
  const steps = [];
  for (let position = 1; position < route.length; position++) {
    const [from, to] = [at.get(route[position - 1]), at.get(route[position])];
    if (from && to && from !== to) steps.push({ position, from, to, ...sidesOf(from, to, boxes, form) });
  }
  const ends = spread(steps);
  const bows = { count: 0 };
  return steps.map((step, position) => {
    const [start, end] = [ends.get(`${position}/from`), ends.get(`${position}/to`)];
    return { from: step.from.key, to: step.to.key, hop: step.position, points: elbow(step, start, end, bows, size, width) };
  });
}

function sidesOf(from, to, boxes, form) {
  const right = from.x + from.width <= to.x;
  const left = to.x + to.width <= from.x;
  const below = from.y + from.height <= to.y;
  const above = to.y + to.height <= from.y;
  const beside = right ? ["right", "left"] : left ? ["left", "right"] : null;
  const stacked = below ? ["bottom", "top"] : above ? ["top", "bottom"] : null;
  for (const sides of form === "across" ? [beside, stacked] : [stacked, beside]) {
    if (sides && !blocked(from, to, sides, boxes)) return { sides };
  }
  return { sides: ["right", "right"] }; // a bow around what stands between
}

function blocked(from, to, [side], boxes) {
  const upright = side === "bottom" || side === "top";
  const lane = upright
    ? { x: Math.max(from.x, to.x), right: Math.min(from.x + from.width, to.x + to.width), y: Math.min(from.y + from.height, to.y + to.height), bottom: Math.max(from.y, to.y) }
    : { x: Math.min(from.x + from.width, to.x + to.width), right: Math.max(from.x, to.x), y: Math.min(from.y, to.y), bottom: Math.max(from.y + from.height, to.y + to.height) };
  return boxes.some(
    (box) => box !== from && box !== to && box.x < lane.right && box.x + box.width > lane.x && box.y < lane.bottom && box.y + box.height > lane.y,
  );
}

/** Where each end touches its box: ends of one side in the order of where they lead, evenly. */
function spread(steps) {
  const sides = new Map();
  steps.forEach((step, position) => {
    for (const [end, box, side, other] of [["from", step.from, step.sides[0], step.to], ["to", step.to, step.sides[1], step.from]]) {
      const key = `${box.key}|${side}`;
      sides.set(key, [...(sides.get(key) ?? []), { id: `${position}/${end}`, box, side, other, position }]);
    }
  });
  const ends = new Map();
  for (const group of sides.values()) {
    const upright = group[0].side === "top" || group[0].side === "bottom";
    const middle = ({ other }) => (upright ? other.x + other.width / 2 : other.y + other.height / 2);
    group.sort((a, b) => middle(a) - middle(b) || a.position - b.position);
    group.forEach(({ id, box, side }, rank) => {
      const share = (rank + 1) / (group.length + 1);
      if (upright) ends.set(id, [box.x + box.width * share, side === "top" ? box.y : box.y + box.height]);
      else ends.set(id, [side === "left" ? box.x : box.x + box.width, box.y + box.height * share]);
    });
  }
  return ends;
}

function elbow({ sides }, start, end, bows, size, width) {
  if (sides[0] === sides[1]) {
    const x = Math.min(width - 3, Math.max(start[0], end[0]) + (size.gap * (1 + (bows.count++ % 3))) / 2);
    return [start, [x, start[1]], [x, end[1]], end];
  }
  if (sides[0] === "bottom" || sides[0] === "top") {
    const y = (start[1] + end[1]) / 2;
    return start[0] === end[0] ? [start, end] : [start, [start[0], y], [end[0], y], end];
  }
  const x = (start[0] + end[0]) / 2;
  return start[1] === end[1] ? [start, end] : [start, [x, start[1]], [x, end[1]], end];
}
