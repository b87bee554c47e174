/** The packet that moves along the drawing. Time on screen is not the packet's: microseconds are told, not waited for. */

const PACE = 430; // pixels a second, at scale 1
const LONGEST = 700; // milliseconds for one wire, however long

/** Whether the reader asked for less movement. */
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Moves the packet over the wires in the order of the hops; onHop(index) is called as it reaches each. `last` is the hop where
 * it ends. Ends at once, all hops told, where movement is not wanted or `signal` is aborted.
 */
export async function travel({ root, hops, last, scale, signal, onHop }) {
  const packet = root.querySelector(".packet");
  const wires = new Map([...root.querySelectorAll(".wire")].map((wire) => [Number(wire.dataset.hop), wire]));
  onHop(0);
  for (let hop = 1; hop < hops; hop++) {
    if (signal.aborted) return;
    const wire = wires.get(hop);
    if (wire && hop <= last && !still()) await along(packet, wire, scale, signal);
    if (signal.aborted) return;
    onHop(hop);
  }
  if (last === hops - 1) packet.classList.add("arrived");
  else packet.classList.add("lost");
}

function along(packet, wire, scale, signal) {
  const length = wire.getTotalLength();
  const duration = Math.min(LONGEST, (length / (PACE * scale)) * 1000 + 80);
  packet.classList.remove("arrived", "lost");
  return new Promise((resolve) => {
    let start = null;
    const step = (now) => {
      start ??= now;
      const share = Math.min(1, (now - start) / duration);
      const eased = share * share * (3 - 2 * share);
      const { x, y } = wire.getPointAtLength(length * eased);
      packet.setAttribute("cx", x);
      packet.setAttribute("cy", y);
      if (share < 1 && !signal.aborted) requestAnimationFrame(step);
      else resolve();
    };
    requestAnimationFrame(step);
  });
}
