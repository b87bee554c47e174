/** The way as a list of sentences, the same for eyes, ears and small screens; and what to say where a packet ends. */

import { html } from "../dom.js";

/** A mark for each state, so that colour is never the only difference. */
export const SIGNS = { predicted: "○", seen: "●", differs: "≠", missed: "?", declared: "◇", dropped: "✕" };

/** A state in words. */
export const wordOf = (state, speech) => (state === "dropped" ? speech.say("drop/title") : speech.term(`state/${state}`));

/** One word for each hop: its state, or `dropped` where the packet ended. */
export function statesOf(trace) {
  return (trace?.hops ?? []).map((hop, position) => (trace.drop?.hop === position ? "dropped" : hop.state ?? "predicted"));
}

/** How a hop stands, with the honest count of its witnesses: `seen 2 of 3`. */
export function stateText(hop, speech) {
  const state = hop.state ?? "predicted";
  const sightings = hop.sightings ?? [];
  if (state !== "seen" || !sightings.length) return wordOf(state, speech);
  const offered = sightings.filter(({ available }) => available !== false);
  return speech.say("path/seenBy", { n: offered.filter(({ saw }) => saw).length, of: sightings.length });
}

/** {elements, mark(hop, state), choose(key)}: the list, a hop's state as the packet reaches it, the hop that is chosen. */
export function hopList({ trace, states, scene, speech, onSelect }) {
  if (!trace) return { elements: [], mark() {}, choose() {} };
  const tell = (hop, state) => (state === "seen" ? stateText(hop, speech) : wordOf(state, speech));
  const items = trace.hops.map((hop, position) => {
    const state = html("span", { class: `state is-${states[position]}` }, tell(hop, states[position]));
    const time = html("span", { class: "time" }, timeOf(hop, states[position]));
    const name = html("span", { class: "hop-name" }, html("span", { class: "hop-kind" }, speech.kind(hop, isInside(scene, position))), " ", html("b", {}, hop.name));
    const button = html("button", { type: "button", class: "hop-line", onclick: () => onSelect(scene.route[position]) }, name, html("span", { class: "hop-says" }, hop.says), state, time);
    const drop = trace.drop?.hop === position && states[position] === "dropped" ? dropNotice(trace.drop, speech) : null;
    return html("li", { "data-hop": position }, button, drop);
  });
  const notes = (trace.notes ?? []).map((note) => html("p", { class: "muted" }, note));
  const probes = (trace.probes ?? []).map(({ protocol, source, destination, arrived, note }) =>
    html("p", { class: "muted" }, `${protocol} ${source} → ${destination}: ${arrived === true ? "✓" : arrived === false ? "✕" : "?"} ${note ?? ""}`),
  );
  return {
    elements: [html("h2", {}, speech.say("path/hops")), html("ol", { class: "hops" }, items), ...probes, ...notes],
    mark(position, state) {
      const [said, time] = [items[position].querySelector(".state"), items[position].querySelector(".time")];
      said.className = `state is-${state}`;
      said.textContent = tell(trace.hops[position], state);
      time.textContent = timeOf(trace.hops[position], state);
    },
    choose(key) {
      items.forEach((item, position) => item.firstChild.setAttribute("aria-pressed", scene.route[position] === key));
    },
  };
}

const isInside = (scene, position) => scene.nodes.find((node) => node.hops.includes(position))?.stage === "inner";

const timeOf = (hop, state) => (state === "predicted" || hop.microseconds === null || hop.microseconds === undefined ? "" : `${hop.microseconds} µs`);

/** Where and why a packet ended, by whose rule, and what would mend it. */
export function dropNotice(drop, speech) {
  const object = drop.object ? `${drop.object.kind} ${[drop.object.namespace, drop.object.name].filter(Boolean).join("/")}` : "";
  const row = (key, value, tag) => (value ? [html("dt", {}, speech.say(key)), html("dd", { lang: "en" }, html(tag, {}, value))] : []);
  return html("section", { class: "drop" }, html("h4", {}, `✕ ${speech.say("drop/title")}`), html("p", {}, drop.reason), html("dl", {}, row("drop/rule", drop.rule, "code"), row("drop/object", object, "b"), row("drop/mend", drop.mend, "code")));
}
