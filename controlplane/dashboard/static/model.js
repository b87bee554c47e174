/** What objects say, read once and named: pure functions over the API's own JSON, in Kubernetes' words. */

import { keyOf } from "./store.js";

export const condition = (object, type) => object.status?.conditions?.find((one) => one.type === type);
export const ownerOf = (object) => object.metadata.ownerReferences?.find(({ controller }) => controller);
export const isReady = (pod) => condition(pod, "Ready")?.status === "True";
export const isOver = (pod) => ["Succeeded", "Failed"].includes(pod.status?.phase);
const { compare } = new Intl.Collator("en", { numeric: true }); // localeCompare would make one for each comparison
const byName = (one, other) => compare(keyOf(one), keyOf(other));

const containers = new WeakMap(); // an object of the store never changes, so what was made of it stays true

/** The containers of a pod, init containers first: `{name, image, init, status}`. */
export function containersOf(pod) {
  let found = containers.get(pod);
  if (!found) containers.set(pod, (found = listed(pod)));
  return found;
}

function listed(pod) {
  const told = new Map();
  for (const list of ["initContainerStatuses", "containerStatuses"])
    for (const status of pod.status?.[list] ?? []) told.set(status.name, status);
  const named = (specs, init) => (specs ?? []).map(({ name, image }) => ({ name, image, init, status: told.get(name) }));
  return [...named(pod.spec.initContainers, true), ...named(pod.spec.containers, false)];
}

/** What a container does, as `kubectl get pods` would say: Running, a reason to wait, or how it ended. */
export function containerWord({ status }) {
  const { running, waiting, terminated } = status?.state ?? {};
  if (running) return "Running";
  if (terminated) return terminated.reason || `ExitCode:${terminated.exitCode}`;
  return waiting?.reason ?? "Waiting";
}

/** good, wait, bad, or done (ended as it should). */
export function containerHealth({ init, status }) {
  const { running, waiting, terminated } = status?.state ?? {};
  if (terminated) return terminated.exitCode === 0 ? "done" : "bad";
  if (running) return status.ready || (init && status.started !== false) ? "good" : "wait";
  return /BackOff|Err|Invalid/.test(waiting?.reason ?? "") ? "bad" : "wait";
}

/** As STATUS of `kubectl get pods`. */
export function podWord(pod) {
  if (pod.metadata.deletionTimestamp) return "Terminating";
  const stuck = containersOf(pod).find((one) => !["good", "done"].includes(containerHealth(one)) && !one.status?.state?.running);
  if (stuck?.status && pod.status.phase !== "Succeeded") return `${stuck.init ? "Init:" : ""}${containerWord(stuck)}`;
  return pod.status?.reason || pod.status?.phase || "Pending";
}

export function podHealth(pod) {
  if (pod.status?.phase === "Succeeded") return "done";
  if (pod.status?.phase === "Failed") return "bad";
  if (pod.metadata.deletionTimestamp) return "wait";
  if (isReady(pod)) return "good";
  return containersOf(pod).some((one) => containerHealth(one) === "bad") ? "bad" : "wait";
}

export const restartsOf = (pod) => containersOf(pod).reduce((sum, { status }) => sum + (status?.restartCount ?? 0), 0);
export const revisionOf = (object) => object.metadata.annotations?.["deployment.kubernetes.io/revision"] ?? "";

/** How far a Deployment is: `{wanted, ready, updated, state}`; state is done, rolling, waiting or failed. */
export function rollout({ spec, status = {}, metadata }) {
  const [wanted, ready, updated] = [spec.replicas ?? 1, status.readyReplicas ?? 0, status.updatedReplicas ?? 0];
  const progressing = status.conditions?.find(({ type }) => type === "Progressing");
  const total = status.replicas ?? 0;
  const behind = (status.observedGeneration ?? 0) < (metadata.generation ?? 0);
  let state = "done";
  if (progressing?.reason === "ProgressDeadlineExceeded") state = "failed";
  else if (behind || updated < wanted || total > updated) state = "rolling";
  else if ((status.availableReplicas ?? 0) < wanted) state = "waiting";
  return { wanted, ready, updated, state, message: progressing?.message ?? "" };
}

/** Who owns whom, of one moment: uid → what it made, sorted by name; and those that nobody made. */
export function family(store, namespace) {
  const here = (kind) => store.list(kind).filter((one) => !namespace || one.metadata.namespace === namespace).sort(byName);
  const [deployments, replicasets, pods] = [here("deployments"), here("replicasets"), here("pods")];
  const known = new Set([...deployments, ...replicasets].map(({ metadata }) => metadata.uid));
  const children = new Map();
  const free = { replicasets: [], pods: [] };
  const place = (object, kind) => {
    const owner = ownerOf(object)?.uid;
    if (!known.has(owner)) return free[kind].push(object);
    if (!children.has(owner)) children.set(owner, []);
    children.get(owner).push(object);
  };
  for (const one of replicasets) place(one, "replicasets");
  for (const one of pods) place(one, "pods");
  return { deployments, free, childrenOf: (object) => children.get(object.metadata.uid) ?? [] };
}

/** The namespaces in which there is something to see, and the Events about an object, newest first. */
export const namespacesOf = (store) => [...new Set(store.list("pods").map(({ metadata }) => metadata.namespace))].sort();
export const momentOf = (event) => event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp;
export const timesOf = (event) => event.series?.count ?? event.count ?? 1;
export const newestFirst = (one, other) => (momentOf(one) < momentOf(other) ? 1 : -1);
export const eventsOf = (store, object) =>
  store.list("events").filter(({ involvedObject }) => involvedObject.uid === object.metadata.uid).sort(newestFirst);
