/** Elements in one call. Styles are classes and attributes: the page's policy forbids any that are written inline. */

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: attributes by name (`on` + event is a listener, null is left out), then children or texts. */
export const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element, as `html`. */
export const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const canvas = document.createElement("canvas").getContext("2d");
const widths = new Map();

/** How wide a text is in a font, in pixels; asked once of each. */
export function widthOf(text, font) {
  const key = `${font}|${text}`;
  if (!widths.has(key)) {
    canvas.font = font;
    widths.set(key, canvas.measureText(text).width);
  }
  return widths.get(key);
}

/** A text cut to `room` pixels, the middle left out: both ends of a name tell more than its beginning. */
export function fit(text, room, font) {
  if (widthOf(text, font) <= room) return text;
  let [low, high] = [0, text.length];
  const cut = (kept) => `${text.slice(0, Math.ceil(kept * 0.6))}…${text.slice(text.length - Math.floor(kept * 0.4))}`;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (widthOf(cut(middle), font) <= room) low = middle;
    else high = middle - 1;
  }
  return low ? cut(low) : "";
}
