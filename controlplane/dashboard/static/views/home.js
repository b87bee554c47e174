/** The first view: questions, each with real objects of this cluster to choose; and the cluster at a glance. */

import { html } from "../dom.js";
import { containersOf, family, isOver, isReady, momentOf, newestFirst, podHealth, rollout } from "../model.js";
import { age, badge, refill, select, to } from "../parts.js";
import { keyOf } from "../store.js";

export function mount(element, shell) {
  const { store, i18n } = shell;
  const questions = html("div", { class: "questions" });
  const glance = html("section", { class: "glance", "aria-label": i18n.t("home/now") });
  element.append(html("h1", {}, i18n.t("home/title")), questions, glance);
  const chosen = {};
  const update = () => {
    if (store.state === "connecting") return;
    const found = subjects(store);
    refill(questions, [found, store.list("nodes").map(keyOf)], () => cards(shell, found, chosen));
    glance.replaceChildren(...summary(shell));
  };
  const unsubscribe = store.subscribe(["pods", "services", "deployments", "nodes", "events", "state"], update);
  update();
  return unsubscribe;
}

/** What the questions can be about: first pods by workload, Services, pods that are not ready, containers that run. */
function subjects(store) {
  const { deployments, free, childrenOf } = family(store, "");
  const ends = deployments.flatMap((one) => {
    const pod = childrenOf(one).flatMap(childrenOf).find(isReady);
    return pod ? [[keyOf(pod), keyOf(one)]] : [];
  });
  ends.push(...free.pods.filter(isReady).map((pod) => [keyOf(pod), keyOf(pod)]));
  const services = store.list("services").filter(({ spec }) => spec.selector).map(keyOf).sort();
  const living = store.list("pods").filter((pod) => !isOver(pod));
  const unready = living.filter((pod) => !isReady(pod)).map(keyOf).sort();
  const pods = living.map(keyOf).sort();
  const containers = living.flatMap((pod) => containersOf(pod).filter(({ status }) => status?.state?.running).map(({ name }) => `${keyOf(pod)}/${name}`)).sort();
  return { ends, services, unready, pods, containers };
}

function cards({ i18n, store }, { ends, services, unready, pods, containers }, chosen) {
  const pick = (name, options, preferred) => {
    const values = options.flatMap(([value, inside]) => (Array.isArray(inside) ? inside.map(([one]) => one) : [value]));
    if (!values.includes(chosen[name])) chosen[name] = preferred ?? values[0] ?? "";
    return select(i18n.t(`home/${name}`), options, chosen[name], (value) => (chosen[name] = value), { "data-pick": name });
  };
  const card = (id, sentence, go) =>
    html("form", { class: "card question-card", id: `ask-${id}`, onsubmit: (event) => { event.preventDefault(); location.hash = go(); } },
      html("h2", {}, sentence), html("p", { class: "muted" }, i18n.t(`home/${id}Hint`)), html("button", { type: "submit", class: "primary" }, i18n.t("home/ask")));
  const plain = (values) => values.map((value) => [value, value]);
  const shown = [];
  if (ends.length && services.length) {
    const web = ends.find(([, label]) => label.endsWith("/web"))?.[0];
    const db = services.find((name) => name.endsWith("/db"));
    const [from, reached] = [pick("from", ends, web), pick("to", services.map((name) => [`service/${name}`, name]), db && `service/${db}`)];
    shown.push(card("path", i18n.sentence("home/path", { from, to: reached }), () => to("path", { from: chosen.from, to: chosen.to })));
  }
  if (pods.length) {
    const groups = [[i18n.t("home/notReady"), plain(unready)], [i18n.t("home/allPods"), plain(pods.filter((one) => !unready.includes(one)))]];
    const pod = pick("pod", groups.filter(([, inside]) => inside.length));
    shown.push(card("why", i18n.sentence("home/why", { pod }), () => to("why", { pod: chosen.pod })));
  }
  if (containers.length) {
    const container = pick("container", plain(containers));
    shown.push(card("beneath", i18n.sentence("home/beneath", { container }), () => to("beneath", { container: chosen.container })));
  }
  if (store.list("nodes").length) {
    const node = pick("node", plain(store.list("nodes").map(keyOf)));
    shown.push(card("memory", i18n.sentence("home/memory", { node }), () => to("memory", { node: chosen.node })));
  }
  return shown.length ? shown : [html("p", { class: "empty" }, i18n.t("home/nothing"), " ", html("code", {}, "naru apply -f manifests/shop"))];
}

function summary({ i18n, store }) {
  const { deployments, childrenOf } = family(store, "");
  const workloads = deployments.map((one) => {
    const { wanted, ready, state } = rollout(one);
    const pods = childrenOf(one).flatMap(childrenOf);
    return html("li", {}, html("a", { href: to("workloads", { namespace: one.metadata.namespace, q: one.metadata.name }) }, one.metadata.name),
      html("span", { class: "muted small" }, one.metadata.namespace),
      badge(state === "done" ? "good" : state === "failed" ? "bad" : "wait", `${ready}/${wanted}`),
      html("span", { class: "cells", "aria-hidden": "true" }, pods.slice(0, 24).map((pod) => html("i", { class: podHealth(pod) }))));
  });
  const warnings = store.list("events").filter(({ type }) => type === "Warning").sort(newestFirst).slice(0, 5);
  const column = (title, items, none) => html("div", { class: "card" }, html("h2", {}, title), items.length ? html("ul", { class: "rows" }, items) : html("p", { class: "muted" }, none));
  return [
    column(i18n.t("nav/workloads"), workloads, i18n.t("home/noWorkloads")),
    column(i18n.t("home/warnings"), warnings.map((one) => html("li", {}, age(i18n, momentOf(one)), html("strong", {}, one.reason),
      html("span", { class: "muted small" }, `${one.involvedObject.kind} ${one.involvedObject.name}`), html("span", { class: "message" }, one.message))), i18n.t("home/noWarnings")),
  ];
}
