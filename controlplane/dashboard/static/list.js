/**
 * A list of any length of which only what can be seen is in the document: rows of one height, put where they belong.
 *
 * `rows` are `{key, level?, open?, parts}`; a row is drawn anew only when one of its `parts` (compared by identity) is another
 * than before, so a change of one pod among thousands redraws one row. The keyboard walks rows (arrows, Home, End, Page), and opens
 * and closes those that have an `open`; Tab reaches what is inside of them.
 */

import { html } from "./dom.js";

const SPARE = 6; // rows kept beyond both edges

export class List {
  #draw;
  #toggle;
  #rows = [];
  #shown = new Map();
  #active = "";
  #height = 44;
  #seen = 0;
  #top = 0;
  #asked = 0;

  /** draw(row) gives a row's cells; toggle(row) opens or closes it. tree: rows have levels. */
  constructor({ label, draw, toggle = () => {}, tree = false, row = "row" }) {
    this.#draw = draw;
    this.#toggle = toggle;
    this.rowClass = row;
    this.body = html("div", { class: "list-body", role: "rowgroup" });
    this.probe = html("div", { class: "list-probe", "aria-hidden": "true" });
    this.element = html("div", { class: "list", role: tree ? "treegrid" : "grid", "aria-label": label, onscroll: () => this.#scrolled() }, this.probe, this.body);
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("focusin", (event) => {
      const row = event.target.closest("[data-key]");
      if (row) this.#activate(row.dataset.key);
    });
    this.sized = new ResizeObserver(() => this.#measure());
    this.sized.observe(this.element);
  }

  /** Show these rows. */
  set(rows) {
    this.#rows = rows;
    if (!rows.some(({ key }) => key === this.#active)) this.#active = rows[0]?.key ?? "";
    this.element.setAttribute("aria-rowcount", rows.length);
    this.#place();
  }

  /** Draw rows anew though none of their parts changed: another language, or a clock that went on. */
  redraw(keys = this.#shown.keys()) {
    for (const key of [...keys]) if (this.#shown.has(key)) this.#shown.get(key).parts = null;
    this.#place();
  }

  close() {
    this.sized.disconnect();
    cancelAnimationFrame(this.#asked);
  }

  /** Sizes are asked for when they change and not when rows do: to answer, the browser would have to lay all out first. */
  #measure() {
    this.#height = this.probe.offsetHeight || this.#height;
    this.#seen = this.element.clientHeight;
    this.#place();
  }

  #scrolled() {
    this.#asked ||= requestAnimationFrame(() => {
      this.#asked = 0;
      this.#top = this.element.scrollTop;
      this.#place();
    });
  }

  #place() {
    const first = Math.max(0, Math.floor(this.#top / this.#height) - SPARE);
    const last = Math.min(this.#rows.length, Math.ceil((this.#top + this.#seen) / this.#height) + SPARE);
    this.body.style.height = `${this.#rows.length * this.#height}px`;
    const focused = this.element.contains(document.activeElement) ? this.#active : "";
    const wanted = new Map();
    for (let index = first; index < last; index++) wanted.set(this.#rows[index].key, index);
    if (focused && !wanted.has(focused)) {
      const index = this.#rows.findIndex(({ key }) => key === focused); // what has the focus stays, wherever it is
      if (index >= 0) wanted.set(focused, index);
    }
    for (const [key, { element }] of this.#shown)
      if (!wanted.has(key)) {
        element.remove();
        this.#shown.delete(key);
      }
    let before = this.body.firstChild;
    for (const [key, index] of [...wanted].sort((one, other) => one[1] - other[1])) {
      const element = this.#row(key, index);
      if (element === before) before = before.nextSibling;
      else this.body.insertBefore(element, before);
    }
  }

  #row(key, index) {
    const row = this.#rows[index];
    let shown = this.#shown.get(key);
    if (!shown) {
      shown = { element: html("div", { class: this.rowClass, role: "row", "data-key": key }), parts: null };
      this.#shown.set(key, shown);
    }
    const { element, parts } = shown;
    element.style.transform = `translateY(${index * this.#height}px)`;
    element.tabIndex = key === this.#active ? 0 : -1;
    const told = { "aria-rowindex": index + 1, "aria-level": row.level, "aria-expanded": row.open, "data-kind": row.kind };
    for (const [name, value] of Object.entries(told)) {
      if (value === undefined) element.removeAttribute(name);
      else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
    }
    if (!parts || parts.length !== row.parts.length || parts.some((part, at) => part !== row.parts[at])) {
      const inside = element.contains(document.activeElement) && document.activeElement !== element;
      const name = inside && document.activeElement.dataset.name;
      element.replaceChildren(...this.#draw(row));
      if (inside) (element.querySelector(`[data-name="${name}"]:enabled`) ?? element).focus({ preventScroll: true });
      shown.parts = row.parts;
    }
    return element;
  }

  #activate(key) {
    if (key === this.#active) return;
    const before = this.#shown.get(this.#active)?.element;
    if (before) before.tabIndex = -1;
    this.#active = key;
    const now = this.#shown.get(key)?.element;
    if (now) now.tabIndex = 0;
  }

  #key(event) {
    const row = event.target.closest("[data-key]");
    if (!row || event.altKey || event.ctrlKey || event.metaKey || event.target.matches("input, select")) return;
    const index = this.#rows.findIndex(({ key }) => key === row.dataset.key);
    const { open, level } = this.#rows[index] ?? {};
    const page = Math.max(1, Math.floor(this.#seen / this.#height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.#goTo(Math.min(this.#rows.length - 1, Math.max(0, index + steps[event.key])));
    else if (event.target !== row) return; // a button inside: its keys are its own
    else if (["Enter", " "].includes(event.key) && open !== undefined) this.#toggle(this.#rows[index]);
    else if (event.key === "ArrowRight" && open === false) this.#toggle(this.#rows[index]);
    else if (event.key === "ArrowLeft" && open === true) this.#toggle(this.#rows[index]);
    else if (event.key === "ArrowLeft" && level > 1) this.#goTo(this.#rows.findLastIndex((one, at) => at < index && one.level < level));
    else return;
    event.preventDefault();
  }

  #goTo(index) {
    const [top, bottom] = [index * this.#height, (index + 1) * this.#height];
    if (top < this.#top) this.element.scrollTop = this.#top = top;
    else if (bottom > this.#top + this.#seen) this.element.scrollTop = this.#top = bottom - this.#seen;
    this.#activate(this.#rows[index].key);
    this.#place();
    this.#shown.get(this.#active)?.element.focus({ preventScroll: true });
  }
}
