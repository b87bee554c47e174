/** "What stands beneath this container?": its tower down to where nothing can be seen any more, and beside it the eight boxes
 * of two virtual machines, of which four are not needed by a container. */

import { html } from "../dom.js";
import { fetchLayers } from "./documents.js";
import { valueOf } from "./facts.js";
import { partPanel } from "./panel.js";
import { index } from "./scene.js";
import { speechOf } from "./speech.js";
import { boxesOf, containerPart, towerOf } from "./tower.js";

const SHOWN = 4; // facts on a level
const LONGEST = 32; // characters of such a fact

let last = { asked: "", shared: false, selected: "" };

export class BeneathView {
  constructor(element, { api, store, params, i18n }) {
    Object.assign(this, { api, store, speech: speechOf(i18n), life: new AbortController() });
    this.asked = params.get("container") ?? last.asked;
    this.choice = html("div", { class: "question" });
    this.status = html("p", { class: "status", role: "status" });
    this.tower = html("ol", { class: "tower" });
    this.boxes = html("section", { class: "eight" });
    this.panel = html("aside", { class: "panel", "aria-label": this.speech.say("part/panel") });
    const side = html("div", { class: "beneath-side" }, this.boxes, this.panel);
    element.append(html("h1", {}, this.speech.say("beneath/title")), this.choice, this.status, html("div", { class: "drawing-body" }, html("div", { class: "drawing-main" }, this.tower), side));
    this.unfollow = store.subscribe(["pods", "state"], () => this.follow());
    this.follow();
  }

  close() {
    this.life.abort();
    this.unfollow();
  }

  /** The running containers: [{key, label, id, node}], key NAMESPACE/POD/CONTAINER. */
  containers() {
    return this.store.list("pods").flatMap((pod) =>
      (pod.status?.containerStatuses ?? [])
        .filter(({ state, containerID }) => state?.running && containerID)
        .map(({ name, containerID }) => ({ key: `${pod.metadata.namespace}/${pod.metadata.name}/${name}`, id: containerID, node: pod.spec.nodeName })),
    ).sort((a, b) => a.key.localeCompare(b.key));
  }

  follow() {
    const containers = this.containers();
    const chosen = containers.find(({ key }) => key === this.asked) ?? containers[0];
    this.drawChoice(containers, chosen);
    if (!chosen) {
      if (this.store.state === "live") this.status.textContent = this.speech.say("beneath/none");
    } else if (chosen.id !== this.chosen?.id) this.answer(chosen, containers);
  }

  drawChoice(containers, chosen) {
    const held = this.choice.contains(document.activeElement);
    const choose = (event) => {
      this.asked = event.target.value;
      history.replaceState(null, "", `#/beneath?${new URLSearchParams({ container: this.asked })}`);
      this.follow();
    };
    const options = containers.map(({ key }) => html("option", { value: key, selected: key === chosen?.key }, key));
    const select = html("select", { "aria-label": this.speech.say("beneath/container"), onchange: choose }, options);
    this.choice.replaceChildren(select);
    if (held) select.focus();
  }

  async answer(chosen, containers) {
    this.chosen = chosen;
    this.asked = last.asked = chosen.key;
    this.status.classList.remove("failed");
    this.status.textContent = this.speech.say("reading");
    try {
      const layers = await fetchLayers(this.api, chosen.node, this.speech.language, this.life.signal);
      if (this.chosen !== chosen) return;
      this.known = index(layers);
      this.container = containerPart(this.known, chosen.id);
      const others = containers.filter(({ key }) => key !== chosen.key).map(({ id }) => containerPart(this.known, id)).filter(Boolean);
      this.other = others.find((part) => part.name !== this.container?.name) ?? others[0] ?? null;
      this.status.textContent = this.container ? "" : this.speech.say("beneath/unmet");
      if (this.container) this.draw();
    } catch (error) {
      if (this.life.signal.aborted) return;
      this.status.textContent = this.speech.say("failed", { why: error.message });
      this.status.classList.add("failed");
    }
  }

  draw() {
    const { known, speech } = this;
    const levels = towerOf(known, this.container);
    const items = levels.map(({ role, parts }) => html("li", { class: `level level-${role}` }, parts.map((part) => this.level(part))));
    const horizons = known.layers.horizons.map(({ says }) => html("p", {}, says));
    this.tower.replaceChildren(...items, html("li", { class: "level-horizon" }, html("h2", {}, speech.term("word/horizon")), horizons));
    this.drawBoxes();
    const chosen = known.parts.get(last.selected);
    this.select(chosen && levels.some(({ parts }) => parts.includes(chosen)) ? chosen : this.container);
  }

  level(part) {
    const telling = (fact) => fact.value !== null && String(fact.value).length <= LONGEST && !part.name.includes(String(fact.value));
    const facts = part.facts.filter(telling).slice(0, SHOWN);
    const shown = facts.map((fact) => html("span", { class: "chip" }, html("span", { class: "muted" }, this.speech.factName(fact)), ` ${valueOf(fact, this.speech)}`));
    return html(
      "button",
      { type: "button", class: "level-part", "data-key": part.id, onclick: () => this.select(part) },
      html("span", { class: "level-kind" }, this.speech.kind(part)),
      html("span", { class: "level-name" }, part.name),
      html("span", { class: "level-facts" }, shown),
    );
  }

  select(part) {
    last.selected = part.id;
    for (const button of this.tower.querySelectorAll(".level-part")) button.setAttribute("aria-pressed", button.dataset.key === part.id);
    const onSelect = (id) => this.select(this.known.parts.get(id));
    this.panel.replaceChildren(...partPanel({ part, fallback: part, hops: [], known: this.known, speech: this.speech, onSelect }));
  }

  drawBoxes() {
    const { speech, known } = this;
    const boxes = boxesOf(known, this.container, this.other);
    const roles = { process: "beneath/process", os: "beneath/os", nic: "beneath/nic" };
    const draw = ({ number, role, name, needed }) =>
      html(
        "li",
        { class: `box box-${role} ${needed ? "" : "not-needed"}`, "data-number": number },
        html("span", { class: "box-number" }, `${number}`),
        html("span", { class: "box-role" }, speech.say(roles[role])),
        html("span", { class: "box-name" }, name || speech.say(number > 2 ? "beneath/guestNic" : "beneath/another")),
      );
    const side = (which, label) => html("div", { class: `boxes boxes-${which}` }, label, html("ol", { class: "boxes-list" }, boxes.filter((box) => box.side === which).map(draw)));
    const guest = () => html("p", { class: "boxes-label" }, html("span", { class: "as-guest" }, speech.say("beneath/guest")), html("span", { class: "as-container" }, speech.say("beneath/container-of")));
    const why = html("p", { class: "eight-why", role: "status" });
    const share = html("button", { type: "button", class: "primary", id: "share-kernel" });
    const set = (shared) => {
      last.shared = shared;
      this.boxes.classList.toggle("is-shared", shared);
      share.textContent = speech.say(shared ? "beneath/separate" : "beneath/share");
      for (const box of this.boxes.querySelectorAll(".not-needed")) box.setAttribute("aria-hidden", shared);
      const [kernel, first, second] = [boxes[1].name, boxes[2].name, boxes[5].name || speech.say("beneath/another")];
      why.textContent = speech.say(shared ? "beneath/why" : "beneath/asVms", { kernel, first, second });
    };
    share.addEventListener("click", () => set(!last.shared));
    this.boxes.replaceChildren(
      html("h2", {}, speech.say("beneath/boxes")),
      share,
      html("div", { class: "eight-picture" }, side("first", guest()), side("second", guest()), side("host", html("p", { class: "boxes-label" }, speech.say("beneath/host")))),
      why,
    );
    set(last.shared);
  }
}
