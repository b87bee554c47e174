/**
 * Kills and how they heal, timed by this page: from the click until the watch tells of a new container that runs, and is ready.
 *
 * What is measured is what a user of the API sees: the kill's way to the node, the end of the process, the agent's
 * replacement, its status' way into the API and the watch's way here.
 */

import { containersOf } from "./model.js";
import { keyOf } from "./store.js";

const LATEST = 64; // heals that are remembered

export class Heals extends EventTarget {
  #heals = new Map();

  constructor({ api, store }) {
    super();
    Object.assign(this, { api, store });
    store.onFrame((kind, type, pod, at) => kind === "pods" && this.#see(type, pod, at));
  }

  /** The heal of a container of a pod: `{asked, running, ready, waiting, error}`, times in ms after `asked`. */
  of(pod, container) {
    return this.#heals.get(`${pod.metadata.uid}/${container}`);
  }

  /** Kill a container; "change" tells of each step. */
  async kill(pod, container) {
    const key = `${pod.metadata.uid}/${container}`;
    const dead = containersOf(pod).find(({ name }) => name === container)?.status?.containerID;
    const heal = { pod: keyOf(pod), container, dead, asked: performance.now() };
    this.#heals.delete(key); // so that the newest is the last
    this.#heals.set(key, heal);
    if (this.#heals.size > LATEST) this.#heals.delete(this.#heals.keys().next().value);
    this.#tell(key, heal);
    try {
      const path = ["kill", pod.metadata.namespace, pod.metadata.name, container].map(encodeURIComponent).join("/");
      await this.api.node(pod.spec.nodeName, path, { method: "POST" });
    } catch (error) {
      heal.error = error.message;
      this.#tell(key, heal);
    }
  }

  #see(type, pod, at) {
    for (const { name, status } of containersOf(pod)) {
      const key = `${pod.metadata.uid}/${name}`;
      const heal = this.#heals.get(key);
      if (!heal || heal.ready !== undefined || heal.error) continue;
      if (type === "DELETED") heal.error = "deleted";
      heal.waiting = status?.state?.waiting?.reason;
      if (status?.containerID !== heal.dead && status?.state?.running) {
        heal.running ??= at - heal.asked;
        if (status.ready) heal.ready = at - heal.asked;
      }
      this.#tell(key, heal);
    }
  }

  #tell(key, heal) {
    this.dispatchEvent(new CustomEvent("change", { detail: { key, heal } }));
  }
}

let one;
/** The page's own: a heal goes on while other views are shown. */
export const heals = (shell) => (one ??= new Heals(shell));
