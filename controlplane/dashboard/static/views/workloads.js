/** Workloads: Deployment → ReplicaSet → Pod → container, with how far each is, and a button that kills a container. */

import { html } from "../dom.js";
import { heals } from "../heals.js";
import { List } from "../list.js";
import { containerHealth, containerWord, containersOf, family, isOver, podHealth, podWord, restartsOf, revisionOf, rollout } from "../model.js";
import { age, badge, namespaceSelect, refill, remember, to } from "../parts.js";
import { keyOf } from "../store.js";

const OPEN_AT_MOST = 60; // pods; with more of them a person opens what is of interest
const CELLS = 48;
const closed = new Map(); // what was opened or closed by hand, while the page lives

export function mount(element, shell) {
  const view = new Workloads(element, shell);
  return () => view.close();
}

class Workloads {
  constructor(element, { api, store, params, i18n, announce }) {
    Object.assign(this, { store, i18n, announce, namespace: params.get("namespace") ?? "", sought: params.get("q") ?? "" });
    this.heals = heals({ api, store });
    this.list = new List({ label: i18n.t("nav/workloads"), tree: true, draw: (row) => this.draw(row), toggle: (row) => this.toggle(row) });
    this.place = html("div", { class: "tools" });
    const search = html("input", { type: "search", value: this.sought, placeholder: i18n.t("parts/search"), "aria-label": i18n.t("parts/search"), oninput: (event) => this.narrow({ sought: event.target.value }) });
    this.count = html("p", { class: "muted small", role: "status" });
    element.append(html("div", { class: "tools" }, html("h1", {}, i18n.t("nav/workloads")), this.count, this.place, search), this.list.element);
    this.unsubscribe = store.subscribe(["pods", "replicasets", "deployments", "state"], () => this.update());
    this.onHeal = ({ detail }) => this.healed(detail);
    this.heals.addEventListener("change", this.onHeal);
    this.update();
  }

  close() {
    this.unsubscribe();
    this.heals.removeEventListener("change", this.onHeal);
    cancelAnimationFrame(this.ticking);
    this.list.close();
  }

  narrow(chosen) {
    Object.assign(this, chosen);
    remember("workloads", { namespace: this.namespace, q: this.sought });
    this.update();
  }

  update() {
    const { store, i18n } = this;
    refill(this.place, store.list("pods").map(({ metadata }) => metadata.namespace).filter((one, at, all) => all.indexOf(one) === at).sort(), () =>
      namespaceSelect(this, this.namespace, (namespace) => this.narrow({ namespace })),
    );
    const pods = store.list("pods").filter(({ metadata }) => !this.namespace || metadata.namespace === this.namespace);
    const ready = pods.filter((pod) => podHealth(pod) === "good").length;
    this.count.textContent = store.state === "connecting" ? "" : i18n.t("workloads/count", { ready: i18n.number(ready), of: i18n.number(pods.filter((pod) => !isOver(pod)).length) });
    this.list.set(this.rows(pods.length <= OPEN_AT_MOST));
  }

  /** The tree, flat, as far as it is open. */
  rows(openAll) {
    const { deployments, free, childrenOf } = family(this.store, this.namespace);
    const sought = this.sought.trim().toLowerCase();
    const rows = [];
    const open = (object, byItself) => sought !== "" || (closed.get(object.metadata.uid) ?? byItself);
    const fits = (object) => keyOf(object).toLowerCase().includes(sought);
    const pod = (object, level) => {
      const isOpen = open(object, openAll);
      rows.push({ key: object.metadata.uid, kind: "pod", level, open: isOpen, object, parts: [object, isOpen] });
      if (!isOpen) return;
      for (const one of containersOf(object)) {
        const heal = this.heals.of(object, one.name);
        rows.push({ key: `${object.metadata.uid}/${one.name}`, kind: "container", level: level + 1, object, container: one, parts: [object, heal] });
      }
    };
    const replicaset = (object, level) => {
      const [isOpen, pods] = [open(object, true), childrenOf(object)];
      rows.push({ key: object.metadata.uid, kind: "replicaset", level, open: isOpen, object, pods, parts: [object, isOpen, ...pods] });
      if (isOpen) pods.filter((one) => fits(one)).forEach((one) => pod(one, level + 1));
    };
    for (const object of deployments) {
      const sets = childrenOf(object);
      const pods = sets.flatMap(childrenOf);
      if (!fits(object) && !pods.some(fits)) continue;
      const isOpen = open(object, true);
      const living = sets.filter((one) => one.spec.replicas || one.status?.replicas || childrenOf(one).length);
      rows.push({ key: object.metadata.uid, kind: "deployment", level: 1, open: isOpen, object, pods, parts: [object, isOpen, ...pods] });
      if (isOpen) living.sort((one, other) => revisionOf(other) - revisionOf(one)).forEach((one) => replicaset(one, 2));
    }
    free.replicasets.filter((one) => fits(one) || childrenOf(one).some(fits)).forEach((one) => replicaset(one, 1));
    free.pods.filter(fits).forEach((one) => pod(one, 1));
    return rows;
  }

  toggle({ object, open }) {
    closed.set(object.metadata.uid, !open);
    this.update();
  }

  draw(row) {
    const { name, state, detail, actions } = this[row.kind](row);
    const fold = row.open === undefined ? html("i", { class: "fold" }) : html("button", { type: "button", class: "fold", tabindex: -1, "data-name": "fold", "aria-label": this.i18n.t(row.open ? "workloads/close" : "workloads/open", { name: row.object.metadata.name }), onclick: () => this.toggle(row) }, html("i", { class: "chevron", "aria-hidden": "true" }));
    const cell = (kind, ...inside) => html("div", { class: `cell ${kind}`, role: "gridcell" }, inside);
    return [cell("cell-name", fold, html("span", { class: "name" }, name)), cell("cell-state", state), cell("cell-detail", detail), cell("cell-actions", actions ?? [])];
  }

  deployment({ object, pods }) {
    const { wanted, ready, updated, state, message } = rollout(object);
    const { i18n } = this;
    const health = { done: "good", rolling: "wait", waiting: "wait", failed: "bad" }[state];
    const told = i18n.t(`rollout/${state}`, { ready, wanted, updated });
    return {
      name: [this.kind("Deployment"), html("strong", {}, object.metadata.name), this.where(object)],
      state: [badge(health, told), cellsOf(pods, i18n)],
      detail: [html("span", { class: "muted", title: message }, i18n.t("workloads/revision", { revision: revisionOf(object) || "–" })), age(i18n, object.metadata.creationTimestamp)],
      actions: [html("a", { class: "button quiet", "data-name": "events", href: to("events", { about: keyOf(object) }) }, i18n.t("nav/events"))],
    };
  }

  replicaset({ object, pods, level }) {
    const { i18n } = this;
    const [wanted, ready] = [object.spec.replicas ?? 1, object.status?.readyReplicas ?? 0];
    return {
      name: [this.kind("ReplicaSet"), object.metadata.name, level === 1 && this.where(object)],
      state: [badge(ready >= wanted ? "good" : "wait", i18n.t("rollout/done", { ready, wanted })), level === 1 && cellsOf(pods, i18n)],
      detail: [html("span", { class: "muted" }, i18n.t("workloads/revision", { revision: revisionOf(object) || "–" })), age(i18n, object.metadata.creationTimestamp)],
    };
  }

  pod({ object, level }) {
    const { i18n } = this;
    const [health, restarts] = [podHealth(object), restartsOf(object)];
    const why = !["good", "done"].includes(health);
    return {
      name: [this.kind("Pod"), object.metadata.name, level === 1 && this.where(object)],
      state: [badge(health, wordOf(podWord(object), health, i18n)), restarts > 0 && html("span", { class: "muted small" }, i18n.t("workloads/restarts", { n: restarts }))],
      detail: [html("span", { class: "muted mono" }, object.status?.podIP ?? ""), html("span", { class: "muted" }, object.spec.nodeName ?? i18n.t("workloads/noNode")), age(i18n, object.metadata.creationTimestamp)],
      actions: [html("a", { class: `button ${why ? "" : "quiet"}`, "data-name": "why", href: to("why", { pod: keyOf(object) }), "aria-label": i18n.t("workloads/whyOf", { name: object.metadata.name }) }, i18n.t("nav/why"))],
    };
  }

  container({ object, container }) {
    const { i18n } = this;
    const { name, image, init, status } = container;
    const running = Boolean(status?.state?.running);
    const heal = this.heals.of(object, name);
    const pod = object.metadata.name;
    return {
      name: [this.kind(init ? i18n.t("workloads/init") : i18n.term("kind/container")), name],
      state: [badge(containerHealth(container), wordOf(containerWord(container), containerHealth(container), i18n)), status?.restartCount > 0 && html("span", { class: "muted small" }, i18n.t("workloads/restarts", { n: status.restartCount }))],
      detail: heal ? healOf(heal, i18n) : [html("span", { class: "muted mono" }, image)],
      actions: [
        html("a", { class: "button quiet", "data-name": "beneath", href: to("beneath", { container: `${keyOf(object)}/${name}` }), "aria-label": i18n.t("workloads/beneathOf", { name, pod }) }, i18n.t("nav/beneath")),
        html("a", { class: "button quiet", "data-name": "logs", href: to("logs", { pod: keyOf(object), container: name }), "aria-label": i18n.t("workloads/logsOf", { name, pod }) }, i18n.t("nav/logs")),
        html("button", { type: "button", class: "danger", "data-name": "kill", disabled: !running, "aria-label": i18n.t("workloads/killOf", { name, pod }), onclick: () => this.heals.kill(object, name) }, i18n.t("workloads/kill")),
      ],
    };
  }

  kind(text) {
    return html("span", { class: "kind" }, text);
  }

  where(object) {
    return !this.namespace && html("span", { class: "muted small" }, object.metadata.namespace);
  }

  healed({ key, heal }) {
    this.list.redraw([key]);
    if (heal.error || heal.ready !== undefined) this.announce(healText(heal, this.i18n));
    this.ticking ||= requestAnimationFrame(() => this.tick());
  }

  /** The running clocks, once per frame while one runs. */
  tick() {
    this.ticking = 0;
    const clocks = this.list.element.querySelectorAll("[data-asked]");
    for (const clock of clocks) clock.textContent = milliseconds(performance.now() - clock.dataset.asked, this.i18n);
    if (clocks.length) this.ticking = requestAnimationFrame(() => this.tick());
  }
}

/** What runs is not always ready: then both are said. */
const wordOf = (word, health, i18n) => (word === "Running" && health !== "good" ? i18n.t("workloads/runsUnready") : word);

const milliseconds = (value, i18n) => i18n.t("heal/ms", { n: i18n.number(Math.round(value)) });

function healText({ pod, container, running, ready, error }, i18n) {
  if (error) return i18n.t("heal/failed", { why: error });
  return i18n.t("heal/done", { pod, container, running: milliseconds(running, i18n), ready: milliseconds(ready, i18n) });
}

/** How a killed container heals: steps that have a time, and a clock for the next. */
function healOf(heal, i18n) {
  if (heal.error) return [html("span", { class: "heal bad" }, i18n.t("heal/failed", { why: heal.error }))];
  const step = (name, at) => html("span", { class: "heal-step", "data-step": name, "data-ms": at === undefined ? null : Math.round(at) }, `${i18n.t(`heal/${name}`)} `,
    at === undefined ? html("b", { "data-asked": heal.asked }, "0") : html("b", {}, milliseconds(at, i18n)));
  const healed = heal.ready !== undefined;
  return [
    html("span", { class: `heal ${healed ? "good" : "wait"}` }, step("running", heal.running), heal.running !== undefined && step("ready", heal.ready)),
    heal.running === undefined && heal.waiting && html("span", { class: "muted small" }, i18n.t("heal/waiting", { reason: heal.waiting })),
  ];
}

/** A Deployment's pods as cells, one each; as shares of a bar when they are too many to tell apart. */
function cellsOf(pods, i18n) {
  const count = { good: 0, wait: 0, bad: 0, done: 0 };
  for (const pod of pods) count[podHealth(pod)]++;
  const said = Object.entries(count).filter(([, n]) => n).map(([health, n]) => `${n} ${i18n.t(`health/${health}`)}`).join(", ");
  const cells = pods.length <= CELLS
    ? pods.map((pod) => html("i", { class: podHealth(pod) }))
    : Object.entries(count).filter(([, n]) => n).map(([health, n]) => { const share = html("i", { class: health }); share.style.flexGrow = n; return share; });
  return html("span", { class: `cells ${pods.length <= CELLS ? "" : "shares"}`, role: "img", "aria-label": said || i18n.t("workloads/noPods"), title: said }, cells);
}
