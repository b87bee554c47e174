/**
 * The shell: what surrounds every view, and which view the address names.
 *
 * `#/workloads?namespace=shop` mounts a view: `mount(element, {api, store, params, i18n, announce}) -> unmount()`, where params
 * are the URLSearchParams behind the name. A view is mounted anew when its name or its params change; it reads the cluster from
 * the store and follows it there. All views are there from the start: what is loaded at once can be loaded anew at once
 * (index.html).
 */

import { api } from "./api.js";
import { html } from "./dom.js";
import { ticking } from "./parts.js";
import { I18n, LANGUAGES, WORDS } from "./i18n.js";
import { Store } from "./store.js";
import * as drawing from "./drawing/view.js";
import * as events from "./views/events.js";
import * as home from "./views/home.js";
import * as logs from "./views/logs.js";
import * as why from "./views/why.js";
import * as workloads from "./views/workloads.js";

const VIEWS = { home, workloads, path: drawing, beneath: drawing, memory: drawing, events, logs, why };
const THEMES = ["auto", "light", "dark"];

const i18n = new I18n();
const store = new Store(api);
const at = (id) => document.getElementById(id);
let unmount = () => {};
let shown = "";

/** Say something to who listens instead of looking. */
const announce = (text) => (at("announce").textContent = text);

/** The view's name and its params, from the address. */
function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { name: path || "home", params: new URLSearchParams(query) };
}

const moved = () => show();

function show({ again = false } = {}) {
  const { name, params } = route();
  const another = shown && name !== shown; // at first the focus is where a browser has it: before all
  unmount();
  unmount = () => {};
  shown = name;
  drawNav(name);
  document.title = name === "home" ? "Naru" : `${i18n.t(name in VIEWS ? `nav/${name}` : "shell/noView")} · Naru`;
  const element = html("div", { class: `view view-${name}` });
  at("main").replaceChildren(element);
  if (!(name in VIEWS)) return element.append(html("p", { class: "empty" }, i18n.t("shell/noView")));
  try {
    unmount = VIEWS[name].mount(element, { api, store, params, i18n, announce, name }) ?? unmount;
  } catch (error) {
    element.append(html("p", { class: "empty", role: "alert" }, i18n.t("shell/failed", { why: error.message })));
    throw error;
  }
  if (another && !again) {
    scrollTo(0, 0);
    at("main").focus({ preventScroll: true });
  }
}

function drawNav(current) {
  at("nav").setAttribute("aria-label", i18n.t("nav/label"));
  at("nav").replaceChildren(
    ...Object.keys(VIEWS).map((name) =>
      html("a", { href: name === "home" ? "#/" : `#/${name}`, "aria-current": name === current && "page" }, i18n.t(`nav/${name}`)),
    ),
  );
  const [bar, here] = [at("nav"), at("nav").querySelector("[aria-current]")].map((one) => one?.getBoundingClientRect());
  // By hand: after scrollIntoView some browsers (Chromium 150) have the Tab key begin there, and no longer before all.
  if (here) at("nav").scrollLeft += Math.min(0, here.left - bar.left) + Math.max(0, here.right - bar.right);
}

/** One of a few, all visible: a group of toggle buttons. */
function choice(name, options, chosen, choose) {
  return html(
    "div",
    { class: "choice", role: "group", "aria-label": i18n.t(`shell/${name}`) },
    options.map(([value, text, lang]) =>
      html("button", { type: "button", lang, "aria-pressed": String(value === chosen), "data-value": value, onclick: () => choose(value) }, text),
    ),
  );
}

function drawSwitches() {
  const theme = document.documentElement.dataset.theme;
  const names = { en: "English", ko: "한국어", linux: "Linux", vmware: "VMware" };
  const focused = document.activeElement?.closest(".switches button")?.dataset.value;
  at("switches").replaceChildren(
    choice("words", WORDS.map((w) => [w, names[w], "en"]), i18n.words, (words) => i18n.choose({ words })),
    choice("language", LANGUAGES.map((l) => [l, names[l], l]), i18n.language, (language) => i18n.choose({ language })),
    choice("theme", THEMES.map((t) => [t, i18n.t(`theme/${t}`)]), theme, chooseTheme),
    html("button", { type: "button", class: "quiet", onclick: logout }, i18n.t("shell/logout")),
  );
  at("switches").querySelector(`[data-value="${focused}"]`)?.focus();
  at("skip").textContent = i18n.t("shell/skip");
}

function chooseTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
  drawSwitches();
}

async function logout() {
  await api.post("/dashboard/logout");
  loggedOut();
}

/** Nothing of the cluster stays on the screen of one who may not see it. */
function loggedOut() {
  store.stop();
  unmount();
  unmount = () => {};
  removeEventListener("hashchange", moved);
  at("nav").replaceChildren();
  at("switches").replaceChildren();
  at("connection").textContent = "";
  const text = [html("h1", {}, i18n.t("shell/loggedOut")), html("p", {}, i18n.t("shell/howToLogin"))];
  at("main").replaceChildren(html("div", { class: "view empty" }, ...text));
}

function drawConnection() {
  at("connection").textContent = store.state === "live" ? "" : i18n.t(`shell/${store.state}`);
  document.documentElement.dataset.connection = store.state;
}

addEventListener("naru:logged-out", loggedOut, { once: true });
addEventListener("hashchange", moved);
i18n.onChange(() => {
  drawSwitches();
  drawConnection();
  show({ again: true });
});
store.subscribe(["state"], drawConnection);
drawSwitches();
drawConnection();
await i18n.load(api);
store.run();
ticking(i18n);
show();
