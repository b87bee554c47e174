/** Values as people read them, and the few that are shown on a part without asking. Pure. */

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Bytes with three digits at most: 24.6 GiB. */
export function bytes(value, language = "en") {
  let power = 0;
  while (Math.abs(value) >= 1024 && power < BINARY.length - 1) [value, power] = [value / 1024, power + 1];
  const digits = power && Math.abs(value) < 100 ? 1 : 0;
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value)} ${BINARY[power]}`;
}

/** A fact's value with its unit; one that could not be had is its note. */
export function valueOf(fact, language = "en") {
  if (fact.value === null || fact.value === undefined) return fact.note || "–";
  if (typeof fact.value === "boolean") return fact.value ? "✓" : "✗";
  if (fact.unit === "B" && typeof fact.value === "number") return bytes(fact.value, language);
  const value = typeof fact.value === "number" && fact.unit ? new Intl.NumberFormat(language).format(fact.value) : String(fact.value);
  return fact.unit ? `${value} ${fact.unit}` : value;
}

/** Of each kind, the facts that say most, by name; the first that are known are shown on the part itself. */
const TELLING = {
  nic: ["driver", "sort", "address", "addresses", "mac"], bridge: ["address", "addresses", "ports", "mac"], veth: ["address", "addresses", "mac"],
  pod: ["address", "ip"], container: ["image", "pid"], shim: ["pid", "version"], containerd: ["version", "pid"], engine: ["version", "pid"],
  kernel: ["release", "version", "os"], hypervisor: ["kind", "product", "monitor", "signature"], machine: ["model", "architecture", "vendor"],
  cpu: ["model", "cores", "count", "threads"], memory: ["total", "ram", "MemTotal"], disk: ["size", "model"],
  nat: ["rule", "source"], service: ["address", "clusterIP", "ports"], route: ["destination", "gateway", "device"], process: ["command", "pid"],
};

/** One line of what is most telling of a part, or "". */
export function gist(part, language = "en") {
  if (!part) return "";
  const known = new Map(part.facts.filter((fact) => fact.value !== null && fact.value !== part.name).map((fact) => [fact.name, fact]));
  const wanted = (TELLING[part.kind] ?? []).filter((name) => known.has(name)).slice(0, 2);
  return wanted.map((name) => valueOf(known.get(name), language)).join(" · ");
}
