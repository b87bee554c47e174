/**
 * What the drawing of a path shows, decided from the documents alone (no DOM, no sizes): which things stand on stage, in
 * which column and lane, which are only counted, and in what order the packet meets them.
 *
 * Columns go from the machine's NIC to the pod. A packet that leaves one pod for another passes them to the left and comes
 * back to the right, so there are two lanes: `from` above, `to` below, and `middle` for what both sides share.
 */

/** The columns, left to right. */
export const STAGES = ["nic", "nat", "switch", "port", "inner", "pod"];

/** What stands beneath all columns, from the top. */
export const FLOORS = ["runtime", "kernel", "hypervisor", "hardware"];

const STAGE_OF_KIND = {
  nic: "nic", bond: "nic", team: "nic", bridge: "switch", pod: "pod", container: "pod", process: "pod",
  veth: "port", tap: "port", tun: "port", vlan: "port", macvlan: "port", ipvlan: "port", vxlan: "port", wireguard: "port", device: "port",
};
const DEVICES = new Set(["nic", "bond", "bridge", "loopback", "dummy", "veth", "tap", "tun", "vlan", "macvlan", "ipvlan", "vxlan"]);
const SHARED = new Set(["nic", "nat", "switch"]);
const SHOWN_ON_FLOOR = 6;

/** The parts of a document by id, and who is whose: made once per document, asked often. What is empty is not sent. */
export function index(sent) {
  const full = (part) => ({ ...part, on: part.on ?? "", facts: part.facts ?? [] });
  const layers = { conflicts: [], horizons: [], ...sent, parts: (sent.parts ?? []).map(full), links: sent.links ?? [] };
  const parts = new Map(layers.parts.map((part) => [part.id, part]));
  const upon = new Map();
  for (const part of layers.parts) {
    if (!upon.has(part.on)) upon.set(part.on, []);
    upon.get(part.on).push(part);
  }
  const podOfNetns = new Map();
  for (const part of layers.parts) if (part.kind === "pod" && part.on.startsWith("netns/")) podOfNetns.set(part.on, part.id);
  const host = layers.parts.find(({ kind, name }) => kind === "netns" && name === "host")?.id ?? "";
  return { layers, parts, upon, podOfNetns, host };
}

/** The network namespace (`netns/INODE`) that a part is in, or "". */
export function netnsOf(part) {
  const [group, inode] = part.id.split("/");
  return group === "link" || group === "route" ? `netns/${inode}` : part.on.startsWith("netns/") ? part.on : "";
}

/** The column of a thing. In a pod's namespace all but its devices is the pod's; else rules and routes stand at the NAT. */
export function stageOf(kind, netns, podOfNetns) {
  if (podOfNetns.has(netns)) return DEVICES.has(kind) ? "inner" : "pod";
  return STAGE_OF_KIND[kind] ?? "nat";
}

/**
 * The scene of a trace over layers.
 *
 * nodes: what is drawn on its own, each {key, part, hops, kind, name, stage, lane, pod}; route: keys in the packet's order, one
 * per hop; pods: the frames, {key, part, lane}; counts: {key, stage, parts} of what is not on the path; floors: {key, floor,
 * parts, rest}; horizons: texts.
 */
export function sceneOf(known, trace) {
  const hops = trace?.hops ?? [];
  const { nodes, route } = nodesOf(known, hops);
  const pods = framesOf(known, nodes);
  addContainers(known, nodes, pods);
  return {
    nodes: [...nodes.values()],
    route,
    pods,
    counts: countsOf(known, nodes, pods),
    floors: floorsOf(known, pods),
    horizons: known.layers.horizons,
  };
}

function nodesOf(known, hops) {
  const pods = new Map(known.podOfNetns); // a pod may have started since the layers were read: its hops name it, too
  for (const { object, netns } of hops) {
    if (object?.kind === "Pod" && netns && !pods.has(netnsName(netns))) pods.set(netnsName(netns), `pod/${object.namespace}/${object.name}`);
  }
  const stages = hops.map((hop) => stageOf(hop.kind, netnsName(hop.netns), pods));
  const inside = hops.map((hop, position) => (["inner", "pod"].includes(stages[position]) ? podOf(known, pods, hop) : ""));
  const [first, last] = [stages.findIndex((stage) => SHARED.has(stage)), stages.findLastIndex((stage) => SHARED.has(stage))];
  const turn = first >= 0 ? first : inside.findIndex((pod) => pod && pod !== inside[0]); // else at the other pod
  const nodes = new Map();
  const lanes = new Map(); // of pods: one that is met again (it asks its own Service) stays where it is
  const route = hops.map((hop, position) => {
    const stage = stages[position];
    const side = SHARED.has(stage) ? "middle" : turn < 0 || position < turn ? "from" : position > last ? "to" : "middle";
    const key = hop.part || `${hop.kind}/${hop.netns ?? ""}/${hop.name}`;
    const node = nodes.get(key);
    if (node) node.hops.push(position);
    else {
      const pod = inside[position];
      const lane = lanes.get(pod) ?? side;
      if (pod) lanes.set(pod, lane);
      nodes.set(key, { key, part: known.parts.get(hop.part) ?? null, hops: [position], kind: hop.kind, name: pod ? hop.name.split("/").at(-1) : hop.name, stage, lane, pod });
    }
    return key;
  });
  return { nodes, route };
}

const netnsName = (netns) => (!netns || netns.startsWith("netns/") ? netns ?? "" : `netns/${netns}`);

function podOf(known, pods, hop) {
  const found = pods.get(netnsName(hop.netns));
  if (found) return found;
  let part = known.parts.get(hop.part);
  while (part && part.kind !== "pod") part = known.parts.get(part.on);
  return part?.id ?? "";
}

function framesOf(known, nodes) {
  const frames = new Map();
  for (const node of nodes.values()) {
    const key = node.kind === "pod" ? node.key : node.pod;
    if (!key) continue;
    const frame = frames.get(key) ?? { key, part: known.parts.get(key) ?? null, lane: node.lane, kind: "pod", hops: [], name: key.replace("pod/", "") };
    if (node.kind === "pod") frame.hops = node.hops;
    frames.set(key, frame);
  }
  for (const key of frames.keys()) nodes.delete(key); // a pod is its frame; the packet stops at the frame's head
  return [...frames.values()];
}

function addContainers(known, nodes, pods) {
  for (const pod of pods) {
    for (const part of known.upon.get(pod.key) ?? []) {
      if (part.kind !== "container" || nodes.has(part.id)) continue;
      nodes.set(part.id, { key: part.id, part, hops: [], kind: part.kind, name: part.name, stage: "pod", lane: pod.lane, pod: pod.key });
    }
  }
}

function countsOf(known, nodes, pods) {
  const drawn = new Set([...nodes.keys(), ...pods.map((pod) => pod.key)]);
  const groups = new Map();
  for (const part of known.layers.parts) {
    if (drawn.has(part.id) || part.kind === "loopback" || part.kind === "netns") continue;
    if (!["network", "pod"].includes(part.floor) && part.kind !== "nic") continue;
    const stage = stageOf(part.kind, netnsOf(part), known.podOfNetns);
    if (stage === "inner" || isElsewhere(known, part)) continue; // one per namespace that is counted already
    const key = `count/${stage}/${part.kind}`;
    const group = groups.get(key) ?? { key, stage, kind: part.kind, parts: [] };
    group.parts.push(part);
    groups.set(key, group);
  }
  return [...groups.values()];
}

const isElsewhere = (known, part) => part.kind !== "pod" && known.host && !["", known.host].includes(netnsOf(part));

function floorsOf(known, pods) {
  const lit = new Set(pods.flatMap((pod) => (known.upon.get(pod.key) ?? []).map((part) => part.id)));
  const shims = new Set(known.layers.links.filter((link) => link.kind === "runs" && lit.has(link.target)).map((link) => link.source));
  return FLOORS.map((floor) => {
    const parts = known.layers.parts.filter((part) => part.floor === floor && part.kind !== "nic" && (part.kind !== "shim" || shims.has(part.id)));
    const all = known.layers.parts.filter((part) => part.floor === floor && part.kind !== "nic");
    const shown = parts.slice(0, SHOWN_ON_FLOOR);
    return { key: `floor/${floor}`, floor, parts: shown, rest: all.filter((part) => !shown.includes(part)) };
  }).filter((floor) => floor.parts.length);
}
