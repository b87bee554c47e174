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
export function valueOf(fact, speech) {
  const { language } = speech;
  if (fact.value === null || fact.value === undefined) return fact.note || "–";
  const word = speech.word(fact);
  if (word) return word;
  if (typeof fact.value === "boolean") return speech.term(fact.value ? "word/yes" : "word/no");
  if (fact.unit === "B" && typeof fact.value === "number") return bytes(fact.value, language);
  const value = typeof fact.value === "number" && fact.unit ? new Intl.NumberFormat(language).format(fact.value) : String(fact.value);
  return fact.unit ? `${value} ${fact.unit}` : value;
}

/** Of each kind, the facts that say most, by name; the first two that are known are shown on the part itself. */
const TELLING = {
  nic: ["addresses", "driver", "sort"], bridge: ["addresses", "mac"], veth: ["addresses", "mac"], tap: ["addresses", "mac"],
  pod: ["address"], container: ["image"], shim: ["pid"], containerd: ["version", "pid"], engine: ["version", "pid"],
  kernel: ["os", "arch"], hypervisor: ["monitor", "hypervisor"], machine: ["model", "arch"], cpu: ["cpus", "mhz"], memory: ["total"],
  disk: ["size", "sort"], nat: ["rule"], service: ["addresses", "ports"], route: ["gateway"], process: ["pid"],
};
const LINK_LOCAL = "fe80:";

/** One line of what is most telling of a part, or "". */
export function gist(part, speech) {
  if (!part) return "";
  const known = new Map(part.facts.map((fact) => [fact.name, short(fact, speech)]));
  const wanted = (TELLING[part.kind] ?? []).map((name) => known.get(name)).filter((text) => text && !part.name.includes(text));
  return wanted.slice(0, 2).join(" · ");
}

/** A value in a word or two: of addresses the first that others can use; a bare number with what it counts. */
function short(fact, speech) {
  if (fact.value === null || fact.value === undefined) return "";
  if (fact.name === "addresses") return String(fact.value).split(", ").find((address) => !address.startsWith(LINK_LOCAL)) ?? "";
  return typeof fact.value === "number" && !fact.unit ? `${speech.factName(fact)} ${fact.value}` : valueOf(fact, speech);
}
