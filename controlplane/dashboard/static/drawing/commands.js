/** What to type in a terminal to see the same thing there. Pure: a part and its document in, a command out. */

import { netnsOf } from "./scene.js";

const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`);

const id = (part) => part.id.slice(part.id.indexOf("/") + 1);
const device = (part, known) => `${entering(part, known)}ip -d address show dev ${quoted(part.name)}`;

const COMMANDS = {
  machine: (part, known) => `kubectl describe machine ${quoted(known.layers.metadata?.name || part.name)}`,
  cpu: () => "lscpu",
  memory: () => "free --bytes && grep Commit /proc/meminfo",
  disk: (part) => `lsblk --output-all --json /dev/${quoted(part.name)}`,
  hypervisor: () => "naru layers --evidence",
  kernel: () => "uname -srvm",
  engine: () => "docker version",
  containerd: () => "ps -C containerd -o pid,rss,args",
  shim: (part) => `ps -o pid,ppid,rss,args -p ${part.facts.find((fact) => fact.name === "pid")?.value ?? `"$(pgrep -f ${id(part)})"`}`,
  container: (part) => `docker inspect ${id(part)}`,
  pod: (part) => `kubectl describe pod ${quoted(id(part).split("/")[1])} --namespace ${quoted(id(part).split("/")[0])}`,
  process: (part) => `cat /proc/${id(part)}/status`,
  vm: (part) => `ps -o pid,rss,args -p ${id(part)}`,
  netns: () => "lsns --type net",
  nat: () => "nft list ruleset | grep -B 3 masquerade",
  masquerade: () => "nft list ruleset | grep -B 3 masquerade",
  service: (part) => `kubectl get service,endpoints ${quoted(id(part).split("/")[1] ?? part.name)} --namespace ${quoted(id(part).split("/")[0])}`,
  route: (part, known) => `${entering(part, known)}ip route`,
  bridge: (part) => `bridge fdb show br ${quoted(part.name)} && bridge link show master ${quoted(part.name)}`,
  nic: (part, known) => `${entering(part, known)}ethtool -i ${quoted(part.name)} && ${device(part, known)}`,
};

/** The command for a part. Devices are shown by `ip`, those of a pod from inside of its namespace. */
export function commandFor(part, known) {
  return (COMMANDS[part.kind] ?? device)(part, known);
}

/** `nsenter … ` into the namespace of the pod that a part is in; nothing on the host. */
function entering(part, known) {
  const pod = known.podOfNetns.get(netnsOf(part));
  if (!pod) return "";
  const within = (id) => (known.upon.get(id) ?? []).flatMap((part) => [part, ...within(part.id)]);
  const process = within(pod).find((part) => part.kind === "process");
  const pid = process ? id(process) : within(pod).flatMap((part) => part.facts).find((fact) => fact.name === "pid")?.value;
  return pid ? `nsenter --target ${pid} --net ` : `nsenter --net=/proc/PID/ns/net `;
}

/** The command for a whole path. */
export const traceCommand = (from, to, probe) => `naru trace ${quoted(from)} --to ${quoted(to)}${probe ? " --probe" : ""}`;
