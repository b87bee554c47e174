/**
 * Why a pod is not ready: a pure function from the pod, its Events and its node to findings, each with what it rests on.
 *
 * A finding is `{key, values, evidence, logs?}`: a sentence (`why/KEY` says what is so, `next/KEY` what to do), where it was read
 * and what stood there. They come in the order in which a pod comes to be ready; what comes later follows from what is first.
 */

import { condition, containersOf, isReady, timesOf } from "./model.js";

const IMAGE = ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"];
const CONFIG = ["CreateContainerConfigError", "CreateContainerError", "RunContainerError"];
const STARTING = ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "Failed", "NetworkNotReady"];
const MOST_EVENTS = 3;

/** `{state, findings}`; state is ready, ending, over, failed or notReady. events are the pod's, newest first. */
export function diagnose(pod, events = [], node = undefined) {
  const told = (...reasons) => events.filter(({ reason }) => reasons.includes(reason)).slice(0, MOST_EVENTS).map(ofEvent);
  const { status = {}, spec, metadata } = pod;
  if (metadata.deletionTimestamp) {
    const at = { source: "metadata.deletionTimestamp", said: metadata.deletionTimestamp };
    return { state: "ending", findings: [{ key: "ending", values: { seconds: metadata.deletionGracePeriodSeconds ?? "" }, evidence: [at, ...told("Killing")] }] };
  }
  if (status.phase === "Succeeded") return { state: "over", findings: [] };
  if (status.phase === "Failed") {
    const evidence = [{ source: "status.phase", said: "Failed" }, { source: "status.reason", said: [status.reason, status.message].filter(Boolean).join(": ") }];
    return { state: "failed", findings: [{ key: "failed", values: { why: status.message || status.reason || "" }, evidence: [...evidence.filter(({ said }) => said), ...ended(pod)] }] };
  }
  if (isReady(pod)) return { state: "ready", findings: [] };
  return { state: "notReady", findings: notReady(pod, spec, told, node) };
}

function notReady(pod, spec, told, node) {
  if (!spec.nodeName) {
    const scheduled = condition(pod, "PodScheduled");
    return [{ key: scheduled?.status === "False" ? "unscheduled" : "unseen", values: { why: scheduled?.message ?? "" }, evidence: [...ofCondition(scheduled), ...told("FailedScheduling")] }];
  }
  const findings = [];
  const alive = node && condition(node, "Ready");
  if (alive && alive.status !== "True")
    findings.push({ key: "node", values: { node: spec.nodeName }, evidence: ofCondition(alive, `Node ${spec.nodeName} `) });
  const blocked = containersOf(pod).filter((one) => one.init).find(({ status }) => !done(status));
  const concerned = blocked ? [blocked] : containersOf(pod).filter(({ init, status }) => !init && !status?.ready);
  findings.push(...concerned.map((one) => ofContainer(one, told)));
  for (const { conditionType } of spec.readinessGates ?? [])
    if (condition(pod, conditionType)?.status !== "True")
      findings.push({ key: "gate", values: { gate: conditionType }, evidence: [{ source: "spec.readinessGates", said: conditionType }, ...ofCondition(condition(pod, conditionType))] });
  if (!findings.length) findings.push({ key: "soon", values: {}, evidence: ofCondition(condition(pod, "Ready")) });
  return findings;
}

const done = (status) => status?.state?.terminated?.exitCode === 0 || (status?.started && status?.state?.running);

/** What holds one container back. */
function ofContainer({ name, image, init, status }, told) {
  const { waiting, running, terminated } = status?.state ?? {};
  const where = `status.${init ? "initContainerStatuses" : "containerStatuses"}[${name}]`;
  const values = { container: name, image };
  const evidence = waiting ? [{ source: `${where}.state.waiting`, said: [waiting.reason, waiting.message].filter(Boolean).join(": ") }] : [];
  if (terminated) evidence.push({ source: `${where}.state.terminated`, said: ending(terminated) });
  const before = status?.lastState?.terminated;
  if (IMAGE.includes(waiting?.reason)) return { key: "image", values: { ...values, why: waiting.message ?? "" }, evidence: [...evidence, ...told("Failed", "BackOff", "InspectFailed")] };
  if (CONFIG.includes(waiting?.reason)) return { key: "config", values: { ...values, why: waiting.message ?? "" }, evidence: [...evidence, ...told("Failed")] };
  if (waiting?.reason === "CrashLoopBackOff" || terminated) {
    const last = terminated ?? before;
    if (before && !terminated) evidence.push({ source: `${where}.lastState.terminated`, said: ending(before) });
    evidence.push({ source: `${where}.restartCount`, said: String(status.restartCount) });
    const key = last?.reason === "OOMKilled" ? "memory" : last?.exitCode === 0 ? "finishes" : init ? "initFails" : "crashes";
    return { key, values: { ...values, code: last?.exitCode ?? "?", times: status.restartCount, meaning: `exit/${meaning(last?.exitCode)}` }, evidence: [...evidence, ...told("BackOff", "Unhealthy", "Killing")], logs: name };
  }
  if (running) {
    evidence.push({ source: `${where}`, said: `state.running since ${running.startedAt}, started ${status.started}, ready ${status.ready}` });
    if (init) return { key: "initRuns", values, evidence, logs: name };
    const probing = told("Unhealthy");
    const key = status.started === false ? "startup" : probing.length ? "probe" : "notYet";
    return { key, values: { ...values, why: probing[0]?.message ?? "" }, evidence: [...evidence, ...probing], logs: name };
  }
  return { key: "creating", values, evidence: [...evidence, ...told(...STARTING, "Pulling")] };
}

const ended = (pod) => containersOf(pod).filter(({ status }) => status?.state?.terminated).map(({ name, status }) => ({ source: `status.containerStatuses[${name}].state.terminated`, said: ending(status.state.terminated) }));
const ending = ({ exitCode, reason, message, finishedAt }) => [`exit code ${exitCode}`, reason, message?.trim(), finishedAt].filter(Boolean).join(", ");
const ofCondition = (one, whose = "") => (one ? [{ source: `${whose}status.conditions[${one.type}]`, said: [one.status, one.reason, one.message].filter(Boolean).join(": ") }] : []);
const ofEvent = (event) => ({ source: `Event ${event.reason}${timesOf(event) > 1 ? ` ×${timesOf(event)}` : ""}`, said: event.message, message: event.message });

/** What an exit code usually means: a word of the table `exit/…`. */
export function meaning(code) {
  if ([126, 127].includes(code)) return "command";
  if (code === 137) return "killed";
  if (code === 143) return "asked";
  if (code === 139) return "segfault";
  return code > 128 ? "signal" : "own";
}
