/** Small pieces that several views are made of. */

import { html } from "./dom.js";
import { namespacesOf } from "./model.js";

/** A state in a word, with its colour and a shape that tells the same. */
export const badge = (health, text) => html("span", { class: `badge ${health}` }, html("i", { class: "dot", "aria-hidden": "true" }), text);

/** How long ago; the shell's clock keeps it true. */
export const age = (i18n, moment) => html("time", { datetime: moment, "data-age": moment, title: new Date(moment).toLocaleString(i18n.language) }, i18n.age(moment));

/** A choice among values: `[[value, text], …]`, or groups `[[label, [[value, text], …]], …]`. */
export function select(label, options, chosen, choose, attributes = {}) {
  const option = ([value, text]) => html("option", { value, selected: value === chosen }, text);
  const entries = options.map((one) => (Array.isArray(one[1]) ? html("optgroup", { label: one[0] }, one[1].map(option)) : option(one)));
  return html("select", { "aria-label": label, onchange: (event) => choose(event.target.value), ...attributes }, entries);
}

/** The namespace that a view is narrowed to; "" is all. */
export const namespaceSelect = ({ i18n, store }, chosen, choose) =>
  select(i18n.t("parts/namespace"), [["", i18n.t("parts/allNamespaces")], ...namespacesOf(store).map((name) => [name, name])], chosen, choose);

/** Fill a place whose options depend on the cluster only when they differ: an open select must not close under the hand. */
export function refill(place, signature, make) {
  const told = JSON.stringify(signature);
  if (place.dataset.told === told) return;
  place.dataset.told = told;
  const focused = place.contains(document.activeElement) && [...place.querySelectorAll("select, input, a, button")].indexOf(document.activeElement);
  place.replaceChildren(...[make()].flat());
  if (focused !== false && focused >= 0) place.querySelectorAll("select, input, a, button")[focused]?.focus();
}

/** The address of a view. */
export const to = (view, params) => `#/${view}?${new URLSearchParams(Object.entries(params).filter(([, value]) => value))}`;

/** Change the address without mounting the view anew. */
export const remember = (view, params) => history.replaceState(null, "", to(view, params));

export function ticking(i18n) {
  const tick = () => document.querySelectorAll("time[data-age]").forEach((one) => {
    const text = i18n.age(one.dataset.age);
    if (one.textContent !== text) one.textContent = text;
  });
  setInterval(tick, 1000);
}
