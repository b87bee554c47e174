/** Logs of a container, followed: also into its next life, when it is killed or crashes while one looks. */

import { html } from "../dom.js";
import { containersOf } from "../model.js";
import { refill, remember, select } from "../parts.js";
import { keyOf } from "../store.js";

const KEPT = 5000; // lines
const BLOCK = 100; // lines that are laid out together, or not at all while out of sight
const TAIL = 500;

export function mount(element, shell) {
  const view = new Logs(element, shell);
  return () => view.close();
}

class Logs {
  constructor(element, { api, store, params, i18n }) {
    Object.assign(this, { api, store, i18n, asked: params.get("pod") ?? "", container: params.get("container") ?? "" });
    Object.assign(this, { previous: params.get("previous") === "1", times: false, sought: "", following: null, life: "" });
    const check = (name, text) => html("label", { class: "check" }, html("input", { type: "checkbox", checked: this[name], onchange: (event) => { this[name] = event.target.checked; this.begin(); } }), text);
    this.place = html("div", { class: "tools" });
    this.status = html("p", { class: "muted small", role: "status" });
    this.output = html("div", { class: "log card", role: "log", "aria-live": "off", "aria-label": i18n.t("nav/logs"), tabindex: 0 });
    const search = html("input", { type: "search", placeholder: i18n.t("parts/search"), "aria-label": i18n.t("parts/search"), oninput: (event) => { this.sought = event.target.value.toLowerCase(); this.begin(); } });
    element.append(html("div", { class: "tools" }, html("h1", {}, i18n.t("nav/logs")), this.place, check("previous", i18n.t("logs/previous")), check("times", i18n.t("logs/times")), search), this.status, this.output);
    this.unsubscribe = store.subscribe(["pods", "state"], () => this.update());
    this.update();
  }

  close() {
    this.unsubscribe();
    this.following?.abort();
    cancelAnimationFrame(this.drawing);
  }

  update() {
    const { store, i18n } = this;
    if (store.state === "connecting") return;
    const pods = store.list("pods").map(keyOf).sort();
    this.asked ||= pods[0] ?? "";
    const pod = store.get("pods", this.asked);
    const names = pod ? containersOf(pod).map(({ name }) => name) : [];
    if (!names.includes(this.container)) this.container = names.at(-1) ?? this.container;
    refill(this.place, [pods, this.asked, names, this.container], () => [
      select(i18n.t("home/pod"), [...(pod ? [] : [[this.asked, this.asked]]), ...pods.map((name) => [name, name])], this.asked, (asked) => this.choose({ asked, container: "" })),
      select(i18n.t("home/container"), names.map((name) => [name, name]), this.container, (container) => this.choose({ container })),
    ]);
    if (!pod) return (this.status.textContent = this.asked ? i18n.t("why/gone", { pod: this.asked }) : i18n.t("home/nothing"));
    const status = containersOf(pod).find(({ name }) => name === this.container)?.status;
    const life = status?.state?.running ? status.containerID : status?.state?.terminated ? status.containerID : "";
    if (life && !this.previous && life !== this.life) this.begin(life, this.life !== "" && this.source === `${this.asked}/${this.container}`);
    else if (this.previous && !this.life) this.begin(status?.lastState?.terminated?.containerID ?? "none");
  }

  choose(chosen) {
    Object.assign(this, chosen, { life: "" });
    this.following?.abort();
    this.update();
    remember("logs", { pod: this.asked, container: this.container, previous: this.previous ? "1" : "" });
  }

  /** Read from the start of a life; `on`: below what its former life said. */
  async begin(life = this.life, on = false) {
    this.following?.abort();
    const mine = (this.following = new AbortController());
    const { i18n, asked, container } = this;
    [this.life, this.source, this.pending] = [life, `${asked}/${container}`, []];
    if (on) this.add([null]);
    else this.output.replaceChildren();
    if (!asked || !container) return;
    const [namespace, name] = asked.split("/").map(encodeURIComponent);
    const query = new URLSearchParams({ container, tailLines: TAIL, ...(this.previous ? { previous: "true" } : { follow: "true" }), ...(this.times ? { timestamps: "true" } : {}) });
    this.status.textContent = i18n.t(this.previous ? "logs/before" : "logs/following", { container });
    try {
      for await (const lines of this.api.lines(`/api/v1/namespaces/${namespace}/pods/${name}/log?${query}`, { signal: mine.signal })) this.add(lines);
      if (!mine.signal.aborted) this.status.textContent = i18n.t("logs/ended", { container });
    } catch (error) {
      if (!mine.signal.aborted) this.status.textContent = error.message;
    }
  }

  add(lines) {
    this.pending.push(...lines.filter((line) => line === null || !this.sought || line.toLowerCase().includes(this.sought)));
    if (this.pending.length > KEPT) this.pending.splice(0, this.pending.length - KEPT);
    this.drawing ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.drawing = 0;
    const { output } = this;
    const atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
    for (const line of this.pending.splice(0)) {
      let block = output.lastElementChild;
      if (!block || block.childElementCount >= BLOCK) output.append((block = html("div", { class: "log-block" })));
      block.append(line === null ? html("div", { class: "log-life" }, this.i18n.t("logs/again", { container: this.container })) : html("div", { class: "log-line" }, line.replace(/\x1b\[[0-9;]*[A-Za-z]/g, "") || " "));
    }
    while (output.childElementCount * BLOCK > KEPT) output.firstElementChild.remove();
    if (atEnd) output.scrollTop = output.scrollHeight;
  }
}
