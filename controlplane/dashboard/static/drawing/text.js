/** How wide texts are, and how they are cut: SVG does neither by itself. */

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
  const cut = (kept) => `${text.slice(0, Math.ceil(kept * 0.6))}…${text.slice(text.length - Math.floor(kept * 0.4))}`;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (widthOf(cut(middle), font) <= room) low = middle;
    else high = middle - 1;
  }
  return low ? cut(low) : "";
}
