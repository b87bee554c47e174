/** "Why is this pod not ready?": sentences, each with the conditions, container states and Events that it rests on. */

import { diagnose } from "../diagnosis.js";
import { html } from "../dom.js";
import { eventsOf, isOver, isReady, momentOf, podHealth, podWord, timesOf } from "../model.js";
import { age, badge, refill, remember, select, to } from "../parts.js";
import { keyOf } from "../store.js";

export function mount(element, { store, params, i18n, announce }) {
  let asked = params.get("pod") ?? "";
  let said = "";
  const place = html("div", { class: "tools" });
  const answer = html("div", { class: "answer" });
  element.append(html("h1", {}, i18n.t("why/title")), place, answer);
  const update = () => {
    if (store.state === "connecting") return;
    const living = store.list("pods").filter((pod) => !isOver(pod) || keyOf(pod) === asked);
    const unready = living.filter((pod) => !isReady(pod)).map(keyOf).sort();
    const ready = living.filter(isReady).map(keyOf).sort();
    asked ||= unready[0] ?? ready[0] ?? "";
    refill(place, [unready, ready, asked], () => {
      const plain = (names) => names.map((name) => [name, name]);
      const groups = [[i18n.t("home/notReady"), plain(unready)], [i18n.t("home/allPods"), plain(ready)]].filter(([, inside]) => inside.length);
      return select(i18n.t("home/pod"), groups, asked, (chosen) => { asked = chosen; remember("why", { pod: asked }); update(); });
    });
    const pod = store.get("pods", asked);
    const shown = pod ? answerOf(pod, store, i18n) : [html("p", { class: "empty" }, i18n.t(asked ? "why/gone" : "home/nothing", { pod: asked }))];
    answer.replaceChildren(...shown);
    const verdict = answer.querySelector("h2")?.textContent ?? "";
    if (said && verdict !== said) announce(verdict);
    said = verdict;
  };
  const unsubscribe = store.subscribe(["pods", "events", "nodes", "state"], update);
  update();
  return unsubscribe;
}

function answerOf(pod, store, i18n) {
  const events = eventsOf(store, pod);
  const { state, findings } = diagnose(pod, events, store.get("nodes", pod.spec.nodeName ?? ""));
  const name = pod.metadata.name;
  return [
    html("section", { class: "card verdict" }, html("h2", {}, i18n.t(`why/is/${state}`, { pod: name })), badge(podHealth(pod), podWord(pod))),
    ...findings.map((finding) => card(finding, pod, i18n)),
    html("section", { class: "card" }, html("h2", {}, i18n.t("why/conditions")), conditions(pod, i18n)),
    html("section", { class: "card" }, html("h2", {}, i18n.t("why/events")), events.length ? html("ul", { class: "rows" }, events.slice(0, 20).map((one) =>
      html("li", {}, age(i18n, momentOf(one)), badge(one.type === "Warning" ? "bad" : "done", one.reason), timesOf(one) > 1 && html("span", { class: "muted small" }, `×${timesOf(one)}`), html("span", { class: "message" }, one.message)))) : html("p", { class: "muted" }, i18n.t("why/noEvents"))),
  ];
}

function card({ key, values, evidence, logs }, pod, i18n) {
  const filled = { ...values, ...(values.meaning ? { meaning: i18n.t(values.meaning) } : {}) };
  const next = i18n.t(`next/${key}`, filled);
  return html("section", { class: "card finding", "data-finding": key },
    html("p", { class: "says" }, i18n.t(`why/${key}`, filled)),
    next && html("p", { class: "next" }, next),
    logs && html("p", {}, html("a", { class: "button", href: to("logs", { pod: keyOf(pod), container: logs, previous: ["crashes", "memory", "finishes"].includes(key) ? "1" : "" }) }, i18n.t("why/logs", { container: logs }))),
    html("h3", {}, i18n.term("word/evidence")),
    html("ul", { class: "evidence" }, evidence.map(({ source, said }) => html("li", {}, html("code", {}, source), html("span", {}, said)))));
}

function conditions(pod, i18n) {
  const rows = (pod.status?.conditions ?? []).map((one) =>
    html("li", {}, age(i18n, one.lastTransitionTime ?? pod.metadata.creationTimestamp), badge(one.status === "True" ? "good" : "wait", one.type), html("span", { class: "message" }, [one.reason, one.message].filter(Boolean).join(": "))));
  return html("ul", { class: "rows" }, rows);
}
