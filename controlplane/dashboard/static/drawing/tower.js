/** What stands beneath a container, as levels from the top. Pure. */

/**
 * The levels: [{role, parts}], from the container's processes to the machine. The runtime's chain is found by who runs the
 * container; where none is known, the kernel follows at once.
 */
export function towerOf(known, container) {
  const levels = [
    { role: "process", parts: (known.upon.get(container.id) ?? []).filter((part) => part.kind === "process") },
    { role: "container", parts: [container] },
  ];
  const pod = known.parts.get(container.on);
  if (pod) levels.push({ role: "pod", parts: [pod] });
  const running = known.layers.links.find((link) => link.kind === "runs" && link.target === container.id);
  const seen = new Set(levels.flatMap(({ parts }) => parts.map(({ id }) => id)));
  for (let part = known.parts.get(running?.source ?? pod?.on); part && !seen.has(part.id); part = known.parts.get(part.on)) {
    seen.add(part.id);
    levels.push({ role: part.kind, parts: [part] });
  }
  return levels.filter(({ parts }) => parts.length);
}

/** The part of a running container; null where discovery has not met it yet. containerID is Kubernetes' (`docker://…`). */
export function containerPart(known, containerID) {
  const id = containerID.replace(/^\w+:\/\//, "");
  return known.layers.parts.find((part) => part.kind === "container" && id.startsWith(part.id.replace("container/", ""))) ?? null;
}

/**
 * The eight boxes of a host and two guests over real names: {number, role, side, name, needed}. A guest of the host's own
 * kernel needs neither a kernel nor a NIC of its own: 4, 5, 7 and 8 are not needed.
 */
export function boxesOf(known, container, other) {
  const named = (kind) => known.layers.parts.find((part) => part.kind === kind)?.name ?? "";
  const process = (part) => (part ? (known.upon.get(part.id) ?? []).find(({ kind }) => kind === "process")?.name ?? part.name : "");
  const box = (number, role, side, name, needed = true) => ({ number, role, side, name, needed });
  return [
    box(1, "process", "host", named("engine")),
    box(2, "os", "host", named("kernel")),
    box(3, "process", "first", process(container)),
    box(4, "os", "first", named("kernel"), false),
    box(5, "nic", "first", "", false),
    box(6, "process", "second", process(other)),
    box(7, "os", "second", named("kernel"), false),
    box(8, "nic", "second", "", false),
  ];
}
