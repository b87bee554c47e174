/** Memory promised against memory taken: a row per pod on one scale with the machine's RAM as a line across it, and the same
 * numbers as a table. */

import { html, svg } from "../dom.js";
import { fetchMemory } from "./documents.js";
import { bytes, valueOf } from "./facts.js";
import { scaleOf } from "./layout.js";
import { fontsAt } from "./marks.js";
import { scaleOver } from "./scale.js";
import { speechOf } from "./speech.js";
import { fit } from "./text.js";

/** Left to right in the table, and what each is drawn as. */
export const MEASURES = ["promised", "committed", "resident", "proportional", "swapped", "charged", "limit"];
const DRAWN = 24; // rows of the picture; the table has all
const FRESH = 10_000; // milliseconds between readings while someone looks: a reading costs the agent 2 ms per process

let last = { node: "", memory: null };

export class MemoryView {
  constructor(element, { api, store, params, i18n }) {
    Object.assign(this, { api, store, speech: speechOf(i18n), life: new AbortController() });
    this.wished = params.get("node") ?? last.node;
    this.choice = html("div", { class: "question" });
    this.status = html("p", { class: "status", role: "status" });
    this.summary = html("p", { class: "memory-summary" });
    this.picture = html("div", { class: "stage" });
    this.table = html("div", { class: "memory-table", tabindex: 0, role: "region", "aria-label": this.speech.say("memory/title") });
    element.append(html("h1", {}, this.speech.say("memory/title")), this.choice, this.status, this.summary, this.picture, this.table);
    this.sized = new ResizeObserver(() => this.drawPicture());
    this.sized.observe(this.picture);
    this.unfollow = store.subscribe(["nodes", "state"], () => this.follow());
    this.clock = setInterval(() => document.hidden || this.read(), FRESH);
    this.follow();
  }

  close() {
    this.life.abort();
    clearInterval(this.clock);
    this.sized.disconnect();
    this.unfollow();
  }

  follow() {
    const nodes = this.store.list("nodes").map(({ metadata }) => metadata.name).sort();
    const node = nodes.includes(this.wished) ? this.wished : nodes[0];
    const choose = (event) => {
      this.wished = event.target.value;
      history.replaceState(null, "", `#/memory?${new URLSearchParams({ node: this.wished })}`);
      this.follow();
    };
    const options = nodes.map((name) => html("option", { selected: name === node }, name));
    const select = html("select", { "aria-label": this.speech.term("kind/machine"), onchange: choose }, options);
    if (nodes.join() !== this.nodes) this.choice.replaceChildren(...(nodes.length > 1 ? [select] : []));
    this.nodes = nodes.join();
    if (!node || node === this.node) return;
    this.node = node;
    if (last.node === node) this.show(last.memory);
    this.read();
  }

  async read() {
    const { node } = this;
    if (!this.memory) this.status.textContent = this.speech.say("reading");
    try {
      const memory = await fetchMemory(this.api, node, this.speech.language, this.life.signal);
      if (node !== this.node) return;
      last = { node, memory };
      this.status.classList.remove("failed");
      this.status.textContent = "";
      this.show(memory);
    } catch (error) {
      if (this.life.signal.aborted) return;
      this.status.textContent = this.speech.say("failed", { why: error.message });
      this.status.classList.add("failed");
    }
  }

  show(memory) {
    this.memory = memory;
    this.rows = rowsOf(memory);
    this.drawSummary();
    this.drawPicture();
    this.drawTable();
  }

  drawSummary() {
    const { promised, taken, ram } = totalsOf(this.memory);
    const { language } = this.speech;
    if (!promised || !taken || !ram) return;
    const times = new Intl.NumberFormat(language, { maximumSignificantDigits: 2 }).format(promised / (taken || 1));
    this.summary.textContent = this.speech.say("memory/sum", { promised: bytes(promised, language), ram: bytes(ram, language), taken: bytes(taken, language), times });
  }

  drawPicture() {
    const width = this.picture.clientWidth;
    if (!this.memory || !width) return;
    const { speech } = this;
    const rows = [sumOf(this.rows, speech.say("memory/all")), ...this.rows.slice(0, DRAWN)];
    const scale = scaleOver([totalsOf(this.memory).ram, ...rows.flatMap(({ values }) => Object.values(values))]);
    const names = width < 760 ? 0 : Math.min(300, width * 0.22);
    const larger = scaleOf(width);
    const font = fontsAt(larger).small;
    const [head, row, edge] = [44, names ? 30 : 46, 16].map((pixels) => pixels * larger);
    const label = (x, y, content, anchor = "start") => {
      const element = svg("text", { x, y, "text-anchor": anchor }, content);
      element.style.font = font;
      return element;
    };
    const at = (value) => names + edge + scale.at(value) * (width - names - 2 * edge);
    const height = head + rows.length * row + 12;
    const ticks = scale.ticks.filter((_, position) => width > 560 || position % 2 === 0).map((tick) =>
      svg("g", { class: "tick" }, svg("line", { x1: at(tick), x2: at(tick), y1: head - 8 * larger, y2: height }), label(at(tick), 16 * larger, bytes(tick, speech.language), { 0: "start", [scale.ticks.length - 1]: "end" }[scale.ticks.indexOf(tick)] ?? "middle")),
    );
    const { ram } = totalsOf(this.memory);
    const line = ram ? svg("g", { class: "ram" }, svg("line", { x1: at(ram), x2: at(ram), y1: 24 * larger, y2: height }), label(at(ram) - 5, 34 * larger, `${speech.say("memory/ram")} ${bytes(ram, speech.language)}`, "end")) : null;
    const drawn = rows.map(({ name, values }, position) => {
      const y = head + position * row + (names ? row / 2 : row - 14 * larger);
      const known = MEASURES.filter((measure) => Number.isFinite(values[measure]) && values[measure] > 0);
      const told = known.map((measure) => `${speech.say(`memory/${measure}`)} ${bytes(values[measure], speech.language)}`).join(", ");
      const [from, to] = [Math.min(...known.map((m) => values[m])), Math.max(...known.map((m) => values[m]))];
      const title = fit(name, names ? names - edge : width - 2 * edge, font);
      return svg(
        "g",
        { class: "memory-row", role: "img", "aria-label": `${name}: ${told}` },
        svg("title", {}, `${name}: ${told}`),
        label(names ? 4 : edge, names ? y + 4 * larger : y - 14 * larger, title),
        known.length ? svg("line", { class: "span", x1: at(from), x2: at(to), y1: y, y2: y }) : null,
        known.map((measure) => mark(measure, at(values[measure]), y, larger)),
      );
    });
    const legend = html("ul", { class: "legend" }, MEASURES.map((measure) => html("li", {}, svg("svg", { width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, mark(measure, 0, 0, 1)), speech.say(`memory/${measure}`))));
    const more = this.rows.length > DRAWN ? [html("p", { class: "muted" }, speech.say("memory/more", { n: this.rows.length - DRAWN }))] : [];
    this.picture.replaceChildren(
      legend,
      html("p", { class: "muted" }, speech.say("memory/scale")),
      svg("svg", { class: "memory-drawing", width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": speech.say("memory/title") }, ticks, line, drawn),
      ...more,
    );
  }

  drawTable() {
    const { speech } = this;
    const head = html("tr", {}, html("th", { scope: "col" }, speech.say("memory/pod")), MEASURES.map((measure) => html("th", { scope: "col", class: "number" }, speech.say(`memory/${measure}`))));
    const rows = this.rows.map(({ name, facts }) => html("tr", {}, html("th", { scope: "row" }, name), MEASURES.map((measure) => html("td", { class: "number", title: facts.get(measure)?.note || null }, cell(facts.get(measure), speech)))));
    this.table.replaceChildren(html("table", {}, html("caption", {}, speech.say("memory/caption")), html("thead", {}, head), html("tbody", {}, rows)));
  }
}

const cell = (fact, speech) => (fact ? valueOf(fact, speech) : "–");

/** A row per pod, the most promised first: {name, facts, values}. What could not be read has a fact but no value. */
export function rowsOf(memory) {
  const rows = memory.parts.filter(({ kind }) => kind === "pod").map((part) => {
    const facts = new Map((part.facts ?? []).map((fact) => [fact.name, fact]));
    const values = Object.fromEntries(MEASURES.map((measure) => [measure, facts.get(measure)?.value]).filter(([, value]) => typeof value === "number"));
    return { name: part.id.replace("pod/", ""), facts, values };
  });
  return rows.sort((a, b) => (b.values.promised ?? 0) - (a.values.promised ?? 0));
}

const ADDABLE = ["promised", "committed", "proportional", "swapped", "charged"]; // resident counts shared pages again and again

/** All rows as one, of what may be added up. */
function sumOf(rows, name) {
  return { name, values: Object.fromEntries(ADDABLE.map((measure) => [measure, rows.reduce((sum, { values }) => sum + (values[measure] ?? 0), 0)])) };
}

/** What was promised to all that is shown and taken by it (proportional, so that it adds up), and the machine's RAM. */
export function totalsOf(memory) {
  const machine = new Map((memory.parts.find(({ id }) => id === "memory")?.facts ?? []).map(({ name, value }) => [name, value]));
  const { promised, proportional } = sumOf(rowsOf(memory), "").values;
  return { promised, taken: proportional, ram: machine.get("total") };
}

/** Each measure has a shape of its own, so that colour is never the only difference. */
function mark(measure, x, y, larger) {
  const shapes = {
    promised: () => svg("circle", { r: 6 }),
    committed: () => svg("path", { d: "M-6 0 0-6 6 0 0 6z" }),
    resident: () => svg("path", { d: "M-5-5H5V5H-5z" }),
    proportional: () => svg("circle", { r: 5 }),
    swapped: () => svg("path", { d: "M-6-5h12l-6 10z" }),
    charged: () => svg("path", { d: "M-6 5h12l-6-10z" }),
    limit: () => svg("path", { d: "M0-10v20" }),
  };
  const shape = shapes[measure]();
  shape.setAttribute("class", `mark mark-${measure}`);
  shape.setAttribute("transform", `translate(${x} ${y}) scale(${larger})`);
  return shape;
}
