/** Events as a timeline, newest first: when, about what, why; with how often they came in the last hour above. */

import { html, svg } from "../dom.js";
import { List } from "../list.js";
import { momentOf, newestFirst, timesOf } from "../model.js";
import { age, badge, namespaceSelect, refill, remember, to } from "../parts.js";

const MINUTES = 60;

export function mount(element, shell) {
  const { store, params, i18n } = shell;
  const chosen = { namespace: params.get("namespace") ?? "", about: params.get("about") ?? "", warnings: params.get("warnings") ?? "" };
  const place = html("div", { class: "tools" });
  const about = html("input", { type: "search", value: chosen.about, placeholder: i18n.t("events/about"), "aria-label": i18n.t("events/about"), oninput: (event) => narrow({ about: event.target.value }) });
  const only = html("label", { class: "check" }, html("input", { type: "checkbox", checked: Boolean(chosen.warnings), onchange: (event) => narrow({ warnings: event.target.checked ? "1" : "" }) }), i18n.t("events/warnings"));
  const hour = html("div", { class: "hour" });
  const none = html("p", { class: "empty" }, i18n.t("events/none"));
  const list = new List({ label: i18n.t("nav/events"), row: "row event", draw: (row) => draw(row.event, i18n) });
  element.append(html("div", { class: "tools" }, html("h1", {}, i18n.t("nav/events")), place, about, only), hour, none, list.element);

  function narrow(change) {
    Object.assign(chosen, change);
    remember("events", chosen);
    update();
  }
  function update() {
    if (store.state === "connecting") return;
    refill(place, [...new Set(store.list("pods").map(({ metadata }) => metadata.namespace))].sort(), () => namespaceSelect(shell, chosen.namespace, (namespace) => narrow({ namespace })));
    const events = store.list("events").filter((one) => fits(one, chosen)).sort(newestFirst);
    none.hidden = events.length > 0;
    list.element.hidden = !none.hidden;
    hour.replaceChildren(histogram(events, i18n));
    list.set(events.map((event) => ({ key: event.metadata.uid, event, kind: event.type, parts: [event] })));
  }
  const unsubscribe = store.subscribe(["events", "pods", "state"], update);
  update();
  return () => {
    unsubscribe();
    list.close();
  };
}

/** `shop/web` is what is called so or begins so (its ReplicaSets and pods), other texts are looked for in all that is told. */
function fits(event, { namespace, about, warnings }) {
  const { involvedObject: object, type, reason, message } = event;
  if (warnings && type !== "Warning") return false;
  if (namespace && event.metadata.namespace !== namespace) return false;
  const told = `${object.namespace}/${object.name} ${object.kind} ${reason} ${message}`.toLowerCase();
  return told.includes(about.trim().toLowerCase());
}

function draw(event, i18n) {
  const { involvedObject: object } = event;
  const name = `${object.kind} ${object.name}`;
  const pod = object.kind === "Pod" && { href: to("why", { pod: `${object.namespace}/${object.name}` }) };
  const cell = (kind, ...inside) => html("div", { class: `cell ${kind}`, role: "gridcell" }, inside);
  return [
    cell("cell-when", html("span", { class: "clock" }, i18n.time(momentOf(event))), age(i18n, momentOf(event))),
    cell("cell-state", badge(event.type === "Warning" ? "bad" : "done", event.reason), timesOf(event) > 1 && html("span", { class: "muted small" }, `×${timesOf(event)}`)),
    cell("cell-about", pod ? html("a", { ...pod, "data-name": "about" }, name) : name, html("span", { class: "muted small" }, object.namespace ?? "")),
    cell("cell-message", html("span", { class: "message", title: event.message }, event.message)),
  ];
}

/** How many Events each minute of the last hour had. */
function histogram(events, i18n) {
  const now = Date.now();
  const bins = Array.from({ length: MINUTES }, () => ({ Normal: 0, Warning: 0 }));
  for (const event of events) {
    const ago = Math.floor((now - new Date(momentOf(event))) / 60_000);
    if (ago >= 0 && ago < MINUTES) bins[MINUTES - 1 - ago][event.type === "Warning" ? "Warning" : "Normal"]++;
  }
  const total = (kind) => bins.reduce((sum, bin) => sum + bin[kind], 0);
  const scale = 40 / Math.max(4, ...bins.map(({ Normal, Warning }) => Normal + Warning));
  const bars = bins.flatMap(({ Normal, Warning }, at) => [
    Normal && svg("rect", { class: "normal", x: at * 10 + 1, width: 8, y: 40 - Normal * scale, height: Normal * scale }),
    Warning && svg("rect", { class: "warning", x: at * 10 + 1, width: 8, y: 40 - (Normal + Warning) * scale, height: Warning * scale }),
  ]);
  const said = i18n.t("events/hour", { n: total("Normal") + total("Warning"), warnings: total("Warning") });
  return html("figure", {}, svg("svg", { viewBox: `0 0 ${MINUTES * 10} 41`, preserveAspectRatio: "none", role: "img", "aria-label": said }, bars.filter(Boolean), svg("path", { class: "base", d: `M0 40.5H${MINUTES * 10}` })), html("figcaption", { class: "muted small" }, said));
}
