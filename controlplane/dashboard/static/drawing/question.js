/** The question as a sentence with two blanks, and the button that sends a packet. */

import { html } from "../dom.js";
import { podNames, serviceNames } from "./documents.js";

const OTHER = "other";

/** The form: onAsk({from, to}) on each change, onProbe() on the button. */
export function questionForm({ store, ends: { from, to }, speech, probing, onAsk, onProbe }) {
  const option = (value, chosen, label = value) => html("option", { value, selected: value === chosen }, label);
  const group = (label, options) => (options.length ? html("optgroup", { label }, options) : null);
  const [pods, services] = [podNames(store), serviceNames(store)];
  const known = [...pods, ...services.map((name) => `service/${name}`)];
  const typed = to && !known.includes(to) ? to : "";
  const ask = () => {
    const end = address.hidden ? target.value : address.value.trim();
    if (end) onAsk({ from: source.value, to: end });
  };
  const source = html("select", { id: "path-from", "aria-label": speech.say("path/from"), onchange: () => ask() }, pods.map((pod) => option(pod, from)), option("host", from, speech.say("path/host")));
  const address = html("input", { id: "path-address", type: "text", inputmode: "url", placeholder: "192.0.2.1", value: typed, "aria-label": speech.say("path/address"), hidden: !typed, onchange: () => ask() });
  const target = html(
    "select",
    {
      id: "path-to",
      "aria-label": speech.say("path/to"),
      onchange: (event) => {
        address.hidden = event.target.value !== OTHER;
        if (address.hidden) ask();
        else address.focus();
      },
    },
    group(speech.term("kind/service"), services.map((name) => option(`service/${name}`, to, name))),
    group(speech.term("kind/pod"), pods.map((pod) => option(pod, to))),
    group(speech.say("path/outside"), [option(OTHER, typed ? OTHER : "", speech.say("path/otherAddress"))]),
  );
  const button = html("button", { id: "path-probe", type: "submit", class: "primary", disabled: !from || !to, "aria-disabled": probing ? "true" : null }, speech.say(probing ? "path/probing" : "path/probe"));
  return html(
    "form",
    {
      class: "question",
      onsubmit: (event) => {
        event.preventDefault();
        if (!probing) onProbe();
      },
    },
    html("span", {}, speech.say("path/how")),
    source,
    html("span", {}, speech.say("path/reach")),
    target,
    address,
    html("span", {}, speech.say("path/end")),
    button,
  );
}
