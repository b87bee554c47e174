/** What is known of the chosen part: its facts with where each was read, what disagrees, what it is joined to, and how a
 * terminal shows the same. */

import { commandFor } from "./commands.js";
import { html } from "../dom.js";
import { valueOf } from "./facts.js";
import { dropNotice, SIGNS, stateText, wordOf } from "./hops.js";

const LISTED = 100; // names shown of a list before one has to filter

/** The panel of whatever is chosen in a drawing: a part, a hop that is no part, or a count of those not drawn. */
export function choicePanel({ key, scene, known, trace, speech, onSelect }) {
  const count = scene.counts.find((each) => each.key === key);
  if (count?.parts.length > 1) return listPanel({ parts: count.parts, kind: speech.term(`kind/${count.kind}`), speech, onSelect });
  const floor = scene.floors.find((each) => `${each.key}/rest` === key);
  if (floor) return listPanel({ parts: floor.rest, kind: speech.term(`floor/${floor.floor}`), speech, onSelect });
  const node = [...scene.nodes, ...scene.pods].find((each) => each.key === key);
  const part = count ? count.parts[0] : known.parts.get(key);
  if (!part && !node) return [...["path/empty", "path/keys"].map((hint) => html("p", { class: "muted" }, speech.say(hint))), legend(speech)];
  const hops = (node?.hops ?? []).map((hop) => [hop, trace.hops[hop]]);
  const drop = node && trace?.drop && node.hops.includes(trace.drop.hop) ? [dropNotice(trace.drop, speech)] : [];
  return [...drop, ...partPanel({ part, fallback: node, hops, known, speech, onSelect })];
}

/** What the marks on the hops mean. */
const legend = (speech) =>
  html("ul", { class: "states" }, Object.entries(SIGNS).map(([state, sign]) => html("li", { class: `state is-${state}` }, html("b", { "aria-hidden": "true" }, sign), ` ${wordOf(state, speech)}`)));

/** The panel of a part. hops are those of the trace that stop here, as [number, hop]. */
export function partPanel({ part, fallback, hops, known, speech, onSelect }) {
  const kind = speech.kind(part ?? fallback);
  const name = part?.name ?? fallback.name;
  const sections = [html("p", { class: "panel-kind" }, kind), html("h3", { class: "panel-name" }, name)];
  sections.push(...hops.map(([number, hop]) => hopSection(number, hop, speech)));
  const conflicts = part ? known.layers.conflicts.filter((conflict) => conflict.part === part.id) : [];
  sections.push(...conflicts.map((conflict) => conflictSection(conflict, speech)));
  const horizons = part ? (known.layers.horizons).filter((horizon) => horizon.part === part.id) : [];
  sections.push(...horizons.map(({ says }) => html("p", { class: "panel-horizon" }, html("strong", {}, speech.term("word/horizon")), ` ${says}`)));
  if (part) sections.push(factsSection(part, speech), besideSection(part, known, speech, onSelect), terminalSection(commandFor(part, known), speech));
  const twin = speech.twin((part ?? fallback).kind);
  if (twin) sections.push(twinSection(twin, speech));
  return sections.filter(Boolean);
}

/** The panel of a count: the parts behind it, to choose from. */
export function listPanel({ parts, kind, speech, onSelect }) {
  const list = html("ul", { class: "panel-list" });
  const show = (wanted) => {
    const found = parts.filter((part) => part.name.toLowerCase().includes(wanted.toLowerCase()));
    const shown = found.slice(0, LISTED).map((part) => html("li", {}, html("button", { type: "button", class: "plain", onclick: () => onSelect(part.id) }, part.name)));
    const more = found.length - shown.length;
    list.replaceChildren(...shown, ...(more > 0 ? [html("li", { class: "muted" }, speech.say("path/more", { n: more }))] : []));
  };
  show("");
  const filter = html("label", { class: "field" }, html("span", {}, speech.say("path/filter")), html("input", { type: "search", autocomplete: "off", oninput: (event) => show(event.target.value) }));
  return [html("h3", { class: "panel-name" }, `${parts.length} ${kind}`), parts.length > 12 ? filter : null, list].filter(Boolean);
}

/** A command with a button that copies it. */
export function terminalSection(command, speech) {
  const button = html("button", { type: "button", class: "copy" }, speech.say("part/copy"));
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(command).then(() => (button.textContent = speech.say("part/copied")), () => selectText(code));
  });
  const code = html("code", { tabindex: 0 }, command);
  return html("section", { class: "terminal" }, html("h4", {}, speech.say("part/terminal")), html("div", { class: "command" }, code, button));
}

function selectText(element) {
  getSelection().selectAllChildren(element); // where the clipboard is closed: one key copies it
}

function hopSection(number, hop, speech) {
  const witnesses = (hop.sightings ?? []).map(({ witness, available, saw, evidence }) => {
    const says = available === false ? speech.say("part/notOffered") : saw || speech.say("part/sawNothing");
    return html("li", {}, html("b", {}, witness), " ", says, evidenceOf(evidence, speech));
  });
  const time = hop.microseconds === null || hop.microseconds === undefined ? "" : ` · ${hop.microseconds} µs`;
  return html(
    "section",
    { class: "panel-hop" },
    html("p", {}, html("b", {}, `${number + 1}`), " ", html("span", { class: `state is-${hop.state ?? "predicted"}` }, stateText(hop, speech) + time)),
    html("p", {}, hop.says),
    witnesses.length ? html("ul", { class: "witnesses", "aria-label": speech.say("part/witnesses") }, witnesses) : evidenceOf(hop.evidence, speech),
  );
}

function conflictSection(conflict, speech) {
  const witnesses = (conflict.witnesses ?? []).map(({ says, evidence }) => html("li", {}, says, evidenceOf(evidence, speech)));
  return html(
    "section",
    { class: "conflict" },
    html("h4", {}, `${speech.term("word/conflict")}: ${conflict.question}`),
    html("ul", {}, witnesses),
    html("p", {}, html("strong", {}, `${speech.term("word/verdict")}: `), `${conflict.verdict}. ${conflict.why}`),
  );
}

function factsSection(part, speech) {
  if (!part.facts.length) return html("p", { class: "muted" }, speech.say("part/noFacts"));
  const rows = part.facts.map((fact) =>
    html(
      "div",
      { class: `fact confidence-${fact.confidence ?? "certain"}` },
      html("dt", {}, speech.factName(fact)),
      html(
        "dd",
        {},
        html("span", { class: "value" }, valueOf(fact, speech)),
        (fact.confidence ?? "certain") === "certain" ? null : html("span", { class: "confidence" }, speech.term(`confidence/${fact.confidence}`)),
        fact.note && fact.value !== null ? html("span", { class: "note" }, fact.note) : null,
        evidenceOf(fact.evidence, speech),
      ),
    ),
  );
  return html("section", {}, html("h4", {}, speech.say("part/facts")), html("dl", { class: "facts" }, rows));
}

function evidenceOf(evidence, speech) {
  if (!evidence?.length) return null;
  const lines = evidence.map(({ source, value }) => html("li", {}, html("code", {}, source), value ? html("samp", {}, value) : null));
  return html("details", { class: "evidence" }, html("summary", {}, speech.term("word/evidence")), html("ul", { lang: "en" }, lines));
}

function besideSection(part, known, speech, onSelect) {
  const links = known.layers.links.filter((link) => link.source === part.id || link.target === part.id);
  const beneath = known.parts.get(part.on);
  const joined = links.map((link) => {
    const outward = link.source === part.id;
    const word = speech.term(`link/${link.kind}`);
    return [link.kind === "peer" ? `${word} ↔` : outward ? `${word} →` : `← ${word}`, known.parts.get(outward ? link.target : link.source)];
  });
  if (beneath) joined.unshift(["↓", beneath]);
  const shown = joined.filter(([, other]) => other).slice(0, LISTED);
  if (!shown.length) return null;
  const items = shown.map(([how, other]) =>
    html("li", {}, html("span", { class: "muted" }, how), " ", html("button", { type: "button", class: "plain", onclick: () => onSelect(other.id) }, titleOf(other, speech))),
  );
  return html("section", {}, html("h4", {}, speech.say("part/beside")), html("ul", { class: "panel-list" }, items));
}

/** `bridge naru0`; a name that begins with its kind already says it once. */
function titleOf(part, speech) {
  const kind = speech.kind(part);
  return part.name.startsWith(kind) ? part.name : `${kind} ${part.name}`;
}

function twinSection({ vmware, what, linux, difference }, speech) {
  return html("section", { class: "twin" }, html("h4", {}, speech.say("part/twin")), html("p", {}, `${vmware}: ${what}. ${linux}: ${difference}.`));
}
