/** The drawing's words, in the language and the vocabulary that are chosen: shared terms and own sentences. */

import { STRINGS } from "./strings.js";

/** {language, say(key, values), term(key), kind(thing, inside), factName(fact), word(fact), twin(kind)} of the shell's i18n. */
export function speechOf(i18n) {
  return {
    language: i18n.language,
    say: (key, values) => i18n.t(key, values, STRINGS),
    term: (key) => i18n.term(key),
    /** A thing's kind; a veth's end in a pod is the guest's NIC to who knows virtual machines. */
    kind(thing, inside = false) {
      const kind = inside && thing.kind === "veth" ? "veth-inside" : thing.kind === "masquerade" ? "nat" : thing.kind;
      return i18n.term(`kind/${kind}`);
    },
    /** What a fact is called; of `rule tcp/http` the first word is its name. */
    factName({ name }) {
      if (i18n.knows(`name/${name}`)) return i18n.term(`name/${name}`);
      const [first, ...rest] = name.split(" ");
      return [i18n.knows(`name/${first}`) ? i18n.term(`name/${first}`) : first, ...rest].join(" ");
    },
    /** A fact's value where it is a word of the table, else undefined. */
    word: ({ name, value }) => (i18n.knows(`${name}/${value}`) ? i18n.term(`${name}/${value}`) : undefined),
    twin: (kind) => i18n.twin(TWINS[kind] ?? ""),
  };
}

const TWINS = { bridge: "vmnet", nat: "nat", masquerade: "nat", veth: "vnic" };
