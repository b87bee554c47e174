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

const AGAIN = [300, 1000]; // milliseconds: a browser on the node drops requests when a pod gets its interface; asking twice harms nobody

async function send(method, path, { body, signal, accept = "application/json" } = {}, pauses = method === "GET" ? AGAIN : []) {
  const headers = { ...HEADERS, Accept: accept, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  const sent = { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, { ...sent, credentials: "same-origin", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (!pauses.length) throw new ApiError(0, "Unreachable", "the API server does not answer");
    await new Promise((resolve) => setTimeout(resolve, pauses[0]));
    return send(method, path, { body, signal, accept }, pauses.slice(1));
  }
  if (response.ok) return response;
  if (response.status === 401) dispatchEvent(new CustomEvent("naru:logged-out"));
  const text = await response.text();
  let status = {};
  try {
    status = JSON.parse(text);
  } catch {
    status = { message: text.trim().slice(0, 300) };
  }
  throw new ApiError(response.status, status.reason ?? "", status.message || `${response.status} ${response.statusText}`);
}

const answer = async (response) => (response.status === 204 ? null : response.json());

export const api = {
  /** The JSON at a path. Throws ApiError. */
  get: async (path, { signal } = {}) => answer(await send("GET", path, { signal })),

  /** Send JSON (or nothing); the JSON answered. Throws ApiError. */
  post: async (path, body, { signal } = {}) => answer(await send("POST", path, { body, signal })),

  /** What a node's agent answers: `api.node("n1", "layers")`. Throws ApiError. */
  node: async (node, path, { method = "GET", signal } = {}) =>
    answer(await send(method, `/api/v1/nodes/${encodeURIComponent(node)}/proxy/${path}`, { signal })),

  /** The text lines of an answer that may go on for hours, in batches as they come; ends when the server ends it. */
  async *lines(path, { signal } = {}) {
    const response = await send("GET", path, { signal, accept: "*/*" });
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
