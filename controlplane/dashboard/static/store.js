/**
 * What the page knows of the cluster: each kind listed once, then followed; all views read from here.
 *
 * The watches of all kinds come over one connection (`/dashboard/watch`), each frame behind its kind's number. When it ends, for
 * whatever reason, each kind goes on from the last revision seen; a kind whose revision the server has forgotten (410) is
 * listed anew. Changes are told to views once per frame of the screen, however many came.
 */

/** The kinds by name. One that the server does not have (404) or does not show (403) stays empty. */
export const KINDS = {
  pods: "/api/v1/pods",
  services: "/api/v1/services",
  nodes: "/api/v1/nodes",
  namespaces: "/api/v1/namespaces",
  events: "/api/v1/events",
  deployments: "/apis/apps/v1/deployments",
  replicasets: "/apis/apps/v1/replicasets",
  machines: "/apis/hardware.naru.dev/v1/machines",
};
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 5000;
const ABSENT = [403, 404];

/** `NAMESPACE/NAME`, or `NAME` of what has no namespace. */
export const keyOf = (object) =>
  object.metadata.namespace ? `${object.metadata.namespace}/${object.metadata.name}` : object.metadata.name;

export class Store {
  #api;
  #kinds;
  #objects = new Map();
  #revisions = new Map();
  #listeners = new Set();
  #frames = new Set();
  #dirty = new Set();
  #drawn = 0;
  #stopped = new AbortController();
  #state = "connecting";

  constructor(api, kinds = KINDS) {
    this.#api = api;
    this.#kinds = kinds;
    for (const kind of Object.keys(kinds)) this.#objects.set(kind, new Map());
  }

  /** connecting (nothing known yet), live, or reconnecting (what is shown may be old). */
  get state() {
    return this.#state;
  }

  /** All objects of a kind. They are shared: nobody changes them, and a changed object is another one. */
  list(kind) {
    return [...this.#objects.get(kind).values()];
  }

  /** One object by `NAMESPACE/NAME` (or `NAME`). */
  get(kind, key) {
    return this.#objects.get(kind).get(key);
  }

  /** Call `changed(kinds)` once per screen frame in which some of these kinds changed; returns how to stop. */
  subscribe(kinds, changed) {
    const listener = { kinds: new Set(kinds), changed };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Call `seen(kind, type, object, milliseconds)` at each frame the moment it comes (performance.now); returns how to stop. */
  onFrame(seen) {
    this.#frames.add(seen);
    return () => this.#frames.delete(seen);
  }

  /** List and follow until `stop`. A round in which nothing was learnt is followed by a pause, and each by a longer one. */
  async run() {
    let pause = FIRST_PAUSE;
    while (!this.#stopped.signal.aborted) {
      const round = new AbortController();
      const end = () => round.abort();
      this.#stopped.signal.addEventListener("abort", end);
      let learnt = false;
      try {
        await this.#listMissing(round.signal);
        this.#become("live");
        await this.#follow(round.signal, () => (learnt = true));
      } catch (error) {
        if (this.#stopped.signal.aborted || error.code === 401) return;
        if (error.name !== "ApiError") throw error;
        this.#become("reconnecting");
      } finally {
        this.#stopped.signal.removeEventListener("abort", end);
        round.abort();
      }
      if (learnt) pause = FIRST_PAUSE;
      else {
        await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random() / 2)));
        pause = Math.min(pause * 2, LONGEST_PAUSE);
      }
    }
  }

  stop() {
    this.#stopped.abort();
  }

  async #listMissing(signal) {
    const missing = Object.keys(this.#kinds).filter((kind) => !this.#revisions.has(kind));
    const absent = (error) => {
      if (!ABSENT.includes(error.code)) throw error;
    };
    const pages = await Promise.all(missing.map((kind) => this.#api.get(this.#kinds[kind], { signal }).catch(absent)));
    for (const [at, page] of pages.entries()) {
      if (!page) continue;
      const kind = missing[at]; // all kinds are shown together: half a cluster would be another one
      this.#objects.set(kind, new Map(page.items.map((object) => [keyOf(object), object])));
      this.#revisions.set(kind, page.metadata.resourceVersion);
      this.#touch(kind);
    }
  }

  async #follow(signal, learnt) {
    const kinds = [...this.#revisions.keys()];
    const query = new URLSearchParams(kinds.map((k) => ["of", `${this.#kinds[k]}?resourceVersion=${this.#revisions.get(k)}`]));
    for await (const lines of this.#api.lines(`/dashboard/watch?${query}`, { signal })) {
      for (const line of lines) {
        const space = line.indexOf(" ");
        const frame = JSON.parse(line.slice(space + 1));
        if (frame.type !== "ERROR") learnt();
        this.#take(kinds[Number(line.slice(0, space))], frame);
      }
    }
  }

  #take(kind, { type, object }) {
    if (type === "ERROR") {
      this.#revisions.delete(kind); // listed anew in the next round, which begins as the server ends this one
      return;
    }
    this.#revisions.set(kind, object.metadata.resourceVersion);
    if (type === "BOOKMARK") return;
    const objects = this.#objects.get(kind);
    if (type === "DELETED") objects.delete(keyOf(object));
    else objects.set(keyOf(object), object);
    const now = performance.now();
    for (const seen of this.#frames) seen(kind, type, object, now);
    this.#touch(kind);
  }

  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#touch("state");
  }

  #touch(kind) {
    this.#dirty.add(kind);
    this.#drawn ||= requestAnimationFrame(() => {
      const dirty = this.#dirty;
      this.#drawn = 0;
      this.#dirty = new Set();
      for (const { kinds, changed } of [...this.#listeners]) if (!kinds.isDisjointFrom(dirty)) changed(dirty);
    });
  }
}
