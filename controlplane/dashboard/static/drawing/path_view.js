/**
 * "How does web reach db?": two ends to choose, one lit path between them, and a packet that proves it.
 *
 * The agent predicts the way (`trace`) as soon as both ends are known; the button sends a packet, and each hop turns to what
 * its witnesses saw of it. The picture, the list below it and the panel beside it show the same thing chosen.
 */

import { html } from "../dom.js";
import { traceCommand } from "./commands.js";
import { endsOf, fetchLayers, fetchTrace, nodeOf, podNames, serviceNames, standing } from "./documents.js";
import { hopList, statesOf } from "./hops.js";
import { layoutOf, scaleOf } from "./layout.js";
import { drawingOf, fontsAt, light } from "./marks.js";
import { travel } from "./packet.js";
import { choicePanel, terminalSection } from "./panel.js";
import { questionForm } from "./question.js";
import { index, sceneOf } from "./scene.js";
import { speechOf } from "./speech.js";
import { widthOf } from "./text.js";

/**
 * The last answer: the shell mounts a view anew when words are switched. In another language it is asked for again, but what was
 * seen of a packet stays seen, as it was told.
 */
let last = { asked: { from: "", to: "" }, language: "", known: null, trace: null, selected: "" };

export class PathView {
  constructor(element, { api, store, params, i18n }) {
    Object.assign(this, { api, store, speech: speechOf(i18n), life: new AbortController(), playing: new AbortController() });
    const wished = { from: params.get("from") ?? last.asked.from, to: params.get("to") ?? last.asked.to };
    this.asked = endsOf(store, wished);
    this.trace = this.known = null;
    this.states = [];
    this.selected = "";
    this.question = html("div", {});
    this.stage = html("div", { class: "stage" });
    this.status = html("p", { class: "status", role: "status" });
    this.list = html("section", { class: "steps" });
    this.panel = html("aside", { class: "panel", "aria-label": this.speech.say("part/panel") });
    const body = html("div", { class: "drawing-body" }, this.stage, this.panel, this.list);
    element.append(html("h1", {}, this.speech.say("path/title")), this.question, this.status, body);
    this.sized = new ResizeObserver(() => this.resize());
    this.sized.observe(this.stage);
    this.unfollow = store.subscribe(["pods", "services", "state"], () => this.follow());
    this.begin();
  }

  close() {
    this.life.abort();
    this.playing.abort();
    this.sized.disconnect();
    this.unfollow();
  }

  /** With the last answer if it is to this question; by asking if it is not, or was told in another language. */
  begin() {
    this.ask();
    const known = last.known && same(last.asked, this.asked);
    if (known) {
      Object.assign(this, { known: last.known, selected: last.selected });
      this.show(last.trace);
      this.standing = this.stands();
    }
    if (!this.asked.from) {
      if (this.store.state === "live") this.tell(this.speech.say("path/nothing"));
    } else if (!known || last.language !== this.speech.language) this.answer({ kept: wasSeen(this.states) ? this.trace : null });
  }

  /** What runs has changed: the blanks offer it, an end that is gone is replaced, and the way may be another now. */
  follow() {
    const ends = endsOf(this.store, this.asked);
    const changed = !same(ends, this.asked);
    this.asked = ends;
    this.ask();
    if (changed) this.begin();
    else if (this.known && !this.probing && this.standing !== this.stands()) this.answer();
  }

  /** What the answer rests on, to compare. What was seen of a packet is not taken back by a pod that gets ready or stops to be. */
  stands() {
    return wasSeen(this.states) ? podNames(this.store).join() : standing(this.store);
  }

  ask() {
    if (this.offer() === this.offered) return; // a list that somebody has opened is not taken away
    this.offered = this.offer();
    const held = this.question.contains(document.activeElement) ? document.activeElement.id : "";
    const choose = (ends) => {
      this.asked = ends;
      this.offered = this.offer(); // the form shows it already
      history.replaceState(null, "", `#/path?${new URLSearchParams(ends)}`);
      this.answer();
    };
    this.question.replaceChildren(
      questionForm({ store: this.store, ends: this.asked, speech: this.speech, probing: this.probing, onAsk: choose, onProbe: () => this.probe() }),
    );
    if (held) this.question.querySelector(`#${held}`)?.focus();
  }

  /** All that the form shows, to compare. */
  offer() {
    return JSON.stringify([podNames(this.store), serviceNames(this.store), this.asked, Boolean(this.probing)]);
  }

  /** Reads the layers and predicts the way, or keeps one; `answering` is done when that stands there. */
  answer({ kept = null } = {}) {
    this.answering = this.read(kept);
  }

  /** Layers without a way are still shown: the reason stands above them. */
  async read(kept) {
    this.playing.abort();
    const { asked, api } = this;
    const { language } = this.speech;
    const node = nodeOf(this.store, asked.from);
    this.standing = this.stands();
    this.tell(this.speech.say("reading"));
    const [layers, trace] = await Promise.allSettled([
      fetchLayers(api, node, language, this.life.signal),
      kept ?? fetchTrace(api, node, asked, false, language, this.life.signal),
    ]);
    if (this.life.signal.aborted || !same(asked, this.asked)) return;
    if (layers.status === "rejected") return this.fail(layers.reason);
    this.known = index(layers.value);
    this.show(trace.value ?? null);
    this.standing = this.stands();
    if (trace.status === "rejected") this.fail(trace.reason);
    else last = { asked, language, known: this.known, trace: trace.value, selected: this.selected };
  }

  /** Sends a packet, then plays what was seen of it. */
  async probe() {
    const { asked } = this;
    this.probing = true;
    this.ask();
    this.tell(this.speech.say("path/probing"));
    try {
      const trace = await fetchTrace(this.api, nodeOf(this.store, asked.from), asked, true, this.speech.language, this.life.signal);
      await this.answering; // or the way that was predicted would be drawn over the one that was seen
      if (same(asked, this.asked)) await this.play(trace);
    } catch (error) {
      if (!this.life.signal.aborted) this.fail(error);
    } finally {
      this.probing = false;
      if (!this.life.signal.aborted) this.ask();
    }
  }

  show(trace) {
    this.trace = trace;
    this.states = statesOf(trace);
    this.draw();
    if (trace) this.tell(trace.summary || this.speech.say("path/predicted"));
  }

  /** The packet sets out; each hop turns to what was seen of it as the packet gets there. */
  async play(trace) {
    last = { ...last, asked: this.asked, known: this.known, trace };
    const seen = statesOf(trace);
    this.trace = trace;
    this.states = seen.map(() => "predicted");
    this.playing.abort();
    this.playing = new AbortController();
    this.draw();
    this.stage.classList.add("is-playing");
    await travel({
      root: this.root,
      hops: seen.length,
      last: trace.drop ? trace.drop.hop : seen.length - 1,
      scale: scaleOf(this.width),
      signal: this.playing.signal,
      onHop: (hop) => {
        this.states[hop] = seen[hop];
        light(this, this.scene, trace, this.states);
        this.steps.mark(hop, seen[hop]);
      },
    });
    this.stage.classList.remove("is-playing");
    if (this.life.signal.aborted || this.trace !== trace) return;
    this.show(trace);
    this.standing = this.stands();
    if (trace.drop) this.select(this.scene.route[trace.drop.hop]);
  }

  fail(error) {
    this.tell(this.speech.say("failed", { why: error.message }));
    this.status.classList.add("failed");
  }

  tell(text) {
    this.status.classList.remove("failed");
    this.status.textContent = text;
  }

  /** Another width is another layout. A packet under way loses its line by that: it arrives at once. */
  resize() {
    if (!this.known || this.stage.clientWidth === this.width) return;
    this.playing.abort();
    this.states = statesOf(this.trace);
    this.draw();
  }

  draw() {
    this.width = this.stage.clientWidth;
    if (!this.width) return; // not laid out yet: its size will be told
    const { known, trace, speech, asked } = this;
    const held = this.stage.contains(document.activeElement) ? document.activeElement.dataset.key : "";
    this.scene = sceneOf(known, trace);
    const fonts = fontsAt(scaleOf(this.width));
    const layout = layoutOf(this.scene, this.width, (text) => widthOf(text, fonts.text));
    const name = trace ? speech.say("path/drawing", asked) : speech.say("path/idle", { node: known.layers.metadata?.name ?? "" });
    Object.assign(this, drawingOf(this.scene, layout, { known, trace, speech, name, onSelect: (key) => this.select(key) }));
    this.root.addEventListener("keydown", (event) => this.step(event));
    this.stage.replaceChildren(this.root);
    light(this, this.scene, trace, this.states);
    this.steps = hopList({ trace, states: this.states, scene: this.scene, speech, onSelect: (key) => this.select(key) });
    const probed = this.states.some((state) => state !== "predicted");
    this.list.replaceChildren(...this.steps.elements, ...(trace ? [terminalSection(traceCommand(asked.from, asked.to, probed), speech)] : []));
    this.select(this.selected);
    if (held) this.parts.get(held)?.focus();
  }

  /** Arrow keys, Home and End step along the way, which is one stop of the Tab key. */
  step(event) {
    const way = [...new Set(this.scene.route)];
    const at = way.indexOf(event.target.dataset?.key);
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -at, End: way.length - 1 - at }[event.key];
    if (at < 0 || by === undefined) return;
    event.preventDefault();
    const next = way[Math.min(way.length - 1, Math.max(0, at + by))];
    this.select(next);
    this.parts.get(next).focus();
  }

  /** Shows what is known of a part; "" is none. */
  select(key) {
    this.selected = last.selected = key;
    const way = [...new Set(this.scene.route)];
    const stop = way.includes(key) ? key : way[0];
    for (const each of way) this.parts.get(each)?.setAttribute("tabindex", each === stop ? 0 : -1);
    for (const [each, element] of this.parts) element.classList.toggle("is-selected", each === key);
    this.steps.choose(key);
    this.panel.replaceChildren(...choicePanel({ key, ...this, onSelect: (chosen) => this.select(chosen) }));
  }
}

const wasSeen = (states) => states.includes("seen");
const same = (a, b) => a.from === b.from && a.to === b.to;
