/**
 * Words: the page's sentences in English and Korean, and the names of things in Linux's words or VMware's.
 *
 * Sentences of the shell are in `sentences.js`; names of things are the table that the command line prints from (`terms.json`).
 */

import { SENTENCES } from "./sentences.js";

export const LANGUAGES = ["en", "ko"];
export const WORDS = ["linux", "vmware"];

export class I18n extends EventTarget {
  #terms = {};
  #twins = {};

  constructor() {
    super();
    const asked = localStorage.getItem("language") ?? navigator.language.slice(0, 2);
    this.language = LANGUAGES.includes(asked) ? asked : "en";
    this.words = WORDS.includes(localStorage.getItem("words")) ? localStorage.getItem("words") : "linux";
    document.documentElement.lang = this.language;
  }

  /** Fetch the table of names. */
  async load(api) {
    const { terms, twins } = await api.get("/dashboard/terms.json");
    [this.#terms, this.#twins] = [terms, twins];
  }

  /** Choose `{language, words}`, either or both; listeners of "change" are told. */
  choose(chosen) {
    for (const [name, value] of Object.entries(chosen)) {
      this[name] = value;
      localStorage.setItem(name, value);
    }
    document.documentElement.lang = this.language;
    this.dispatchEvent(new Event("change"));
  }

  /** Call on every choice; returns how to stop. */
  onChange(told) {
    this.addEventListener("change", told);
    return () => this.removeEventListener("change", told);
  }

  /** A sentence by its key, `{name}` filled in; `table` may be another than the shell's (KEY → `en`, `ko`). */
  t(key, values = {}, table = SENTENCES) {
    const sentence = table[key];
    if (!sentence) throw new Error(`no sentence ${key}`);
    return sentence[this.language].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  /** A sentence as a list of texts and the elements that stand in it. */
  sentence(key, elements) {
    return this.t(key, Object.fromEntries(Object.keys(elements).map((name) => [name, `\u0000${name}\u0000`])))
      .split("\u0000")
      .map((part) => elements[part] ?? part);
  }

  /** The name of a thing (`kind/bridge`) in the chosen words and language; one that the table lacks is its own name. */
  term(key) {
    return this.#terms[key]?.[this.words][this.language] ?? key.split("/").at(-1);
  }

  /** Whether the table has a name for it. */
  knows(key) {
    return key in this.#terms;
  }

  /** The name of a thing in other words than the chosen: what a reader of those would call it. */
  otherTerm(key) {
    return this.#terms[key]?.[WORDS.find((words) => words !== this.words)][this.language] ?? key.split("/").at(-1);
  }

  /** What is like a thing of VMware's and what is not (KEY → `vmware`, `what`, `linux`, `difference`), in the language. */
  twin(key) {
    const twin = this.#twins[key];
    return twin && Object.fromEntries(Object.entries(twin).map(([name, said]) => [name, said[this.language]]));
  }

  number(value, options = {}) {
    return new Intl.NumberFormat(this.language, options).format(value);
  }

  /** The time of day; with the date where it is not today's. */
  time(moment) {
    const date = new Date(moment);
    const day = date.toDateString() === new Date().toDateString() ? {} : { month: "short", day: "numeric" };
    const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    return new Intl.DateTimeFormat(this.language, { ...day, ...clock }).format(date);
  }

  /** How long ago, in one unit: `5 min`. */
  age(moment) {
    const seconds = Math.max(0, (Date.now() - new Date(moment)) / 1000);
    const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"], [0, "second"]].find(([least]) => seconds >= least);
    return this.number(Math.floor(seconds / (size || 1)), { style: "unit", unit, unitDisplay: "short" });
  }
}
