/**
 * The way to the API: requests with the session's cookie, and streams read line by line.
 *
 * The cookie alone is worth nothing (see sessions.py): each request carries the page's header, which no other page can send.
 */

const HEADERS = { "X-Naru-Page": "1" };

/** A refusal: the server's Status. `code` is HTTP's, or 0 where no server answered. */
export class ApiError extends Error {
  constructor(code, reason, message) {
    super(message);
    this.name = "ApiError";
    Object.assign(this, { code, reason });
  }
}

const AGAIN = [300, 1000, 3000]; // milliseconds before what may be asked twice is asked again: browsers drop requests when addresses change

async function send(method, path, { body, signal, accept = "application/json" } = {}) {
  const headers = { ...HEADERS, Accept: accept, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  const sent = { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) };
  const response = await reached(fetch(path, { ...sent, credentials: "same-origin", cache: "no-store" }));
  if (response.ok) return response;
  if (response.status === 401) dispatchEvent(new CustomEvent("naru:logged-out"));
  const text = await reached(response.text());
  let status = {};
  try {
    status = JSON.parse(text);
  } catch {
    status = { message: text.trim().slice(0, 300) };
  }
  throw new ApiError(response.status, status.reason ?? "", status.message || `${response.status} ${response.statusText}`);
}

/** What the browser brings; an ApiError with code 0 if it brings nothing, or not all of it. */
async function reached(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "Unreachable", "the API server does not answer");
  }
}

/** Ask until a server answers, a few times: for what harms nobody when it is asked twice. */
async function persistently(ask) {
  for (const pause of AGAIN) {
    try {
      return await ask();
    } catch (error) {
      if (error.code !== 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return ask();
}

async function json(...request) {
  const response = await send(...request);
  return response.status === 204 ? null : reached(response.json());
}

export const api = {
  /** The JSON at a path. Throws ApiError. */
  get: (path, { signal } = {}) => persistently(() => json("GET", path, { signal })),

  /** Send JSON (or nothing); the JSON answered. Throws ApiError. */
  post: (path, body, { signal } = {}) => json("POST", path, { body, signal }),

  /** What a node's agent answers: `api.node("n1", "layers")`. again: whether it may be asked twice. Throws ApiError. */
  node(node, path, { method = "GET", again = method === "GET", signal } = {}) {
    const ask = () => json(method, `/api/v1/nodes/${encodeURIComponent(node)}/proxy/${path}`, { signal });
    return again ? persistently(ask) : ask();
  },

  /** The text lines of an answer that may go on for hours, in batches as they come; ends when the server ends it. */
  async *lines(path, { signal } = {}) {
    const response = await persistently(() => send("GET", path, { signal, accept: "*/*" }));
    if (!response.body) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        if (lines.length) yield lines;
      }
    } catch (error) {
      if (error.name === "AbortError" || signal?.aborted) throw error;
      throw new ApiError(0, "Unreachable", "the connection broke");
    } finally {
      reader.cancel().catch(() => {}); // it has ended already
    }
    if (rest) yield [rest];
  },
};
