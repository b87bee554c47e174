/** Where the drawing's documents come from, told in the chosen language, and between which ends a question can be asked now. */

/** What stands on what, on a node. */
export const fetchLayers = (api, node, language, signal) => api.node(node, `layers?language=${language}`, { signal });

/** What was promised of a node's memory, and what was taken. */
export const fetchMemory = (api, node, language, signal) => api.node(node, `layers/memory?language=${language}`, { signal });

/** The way from a pod to another end; with `probe` a packet is sent along it. */
export function fetchTrace(api, node, { from, to }, probe, language, signal) {
  const query = new URLSearchParams({ from, to, language, ...(probe ? { probe: "1" } : {}) });
  return api.node(node, `trace?${query}`, { method: "POST", again: !probe, signal });
}

const name = ({ metadata }) => (metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name);
const HOST = { metadata: { namespace: "", name: "host", labels: {} } };
const runs = (pod) => pod.status?.phase === "Running" && !pod.metadata.deletionTimestamp;
const selects = (service, pod) => {
  const wanted = Object.entries(service.spec.selector ?? {});
  return wanted.length > 0 && service.metadata.namespace === pod.metadata.namespace && wanted.every(([key, value]) => pod.metadata.labels?.[key] === value);
};

/** The names of the pods that run, sorted. */
export const podNames = (store) => store.list("pods").filter(runs).map(name).sort();

/** What ways depend on, to compare: which pods run where, and which are ready. */
export function standing(store) {
  const ready = ({ status }) => status.conditions?.find(({ type }) => type === "Ready")?.status ?? "";
  return store.list("pods").filter(runs).map((pod) => `${pod.metadata.uid} ${pod.status.podIP ?? ""} ${ready(pod)}`).sort().join();
}

/** The names of the Services that have an address, sorted. */
export const serviceNames = (store) => store.list("services").filter(({ spec }) => spec.clusterIP && spec.clusterIP !== "None").map(name).sort();

/** The node where a way begins: a pod's (NAMESPACE/NAME), or the first for `host`. */
export const nodeOf = (store, from) => (from === "host" ? store.list("nodes").map(({ metadata }) => metadata.name).sort()[0] : store.get("pods", from)?.spec.nodeName) ?? "";

/**
 * The ends to ask about. What is chosen stays while it is there. Else the question is the first that a newcomer has: how does
 * a pod that is open to the outside reach a Service that opens no port of the machine?
 */
export function endsOf(store, { from, to }) {
  const pods = store.list("pods").filter(runs).sort((a, b) => name(a).localeCompare(name(b)));
  const services = store.list("services");
  const open = services.filter(({ spec }) => spec.type === "NodePort" || spec.type === "LoadBalancer");
  const chosen = from === "host" ? HOST : pods.find((pod) => name(pod) === from);
  const source = chosen ?? pods.find((pod) => open.some((service) => selects(service, pod))) ?? pods[0];
  if (!source) return { from: "", to: "" };
  const gone = to.startsWith("service/") ? !store.get("services", to.slice("service/".length)) : to.includes("/") && !pods.some((pod) => name(pod) === to.split(":")[0]);
  if (to && !gone) return { from: name(source), to };
  const near = services.filter((service) => (source === HOST || service.metadata.namespace === source.metadata.namespace) && service.spec.selector && !selects(service, source));
  const target = near.sort((a, b) => name(a).localeCompare(name(b)))[0];
  const other = pods.find((pod) => pod !== source) ?? source;
  return { from: name(source), to: target ? `service/${name(target)}` : name(other) };
}
