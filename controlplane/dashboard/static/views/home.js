/** The first view: questions, each with real objects of this cluster to choose. */

import { html } from "../dom.js";

export function mount(element, { i18n }) {
  element.append(html("h1", {}, i18n.t("home/title")));
}
