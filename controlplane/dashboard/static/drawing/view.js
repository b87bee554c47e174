/** The three questions that are answered by a drawing, as views of the shell. */

import { BeneathView } from "./beneath_view.js";
import { MemoryView } from "./memory_view.js";
import { PathView } from "./path_view.js";

const VIEWS = { path: PathView, beneath: BeneathView, memory: MemoryView };

/** Shows the view called `name` in an element; answers how to end it. */
export function mount(element, { name, ...shell }) {
  const view = new VIEWS[name](element, shell);
  return () => view.close();
}
