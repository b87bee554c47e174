/** A scale on which a few kilobytes and thousands of gigabytes are both seen: each step to the right is ten times more. Pure. */

const LEAST = 1 << 20; // what is less than a MiB stands at the left end

/** {at(bytes) → 0..1, ticks: [bytes]} over values. From a MiB to the power of ten (in MiB) above the largest. */
export function scaleOver(values) {
  const largest = Math.max(LEAST * 1000, ...values.filter(Number.isFinite));
  const decades = Math.ceil(Math.log10(largest / LEAST));
  return {
    at: (value) => Math.min(1, Math.max(0, Math.log10(Math.max(value, LEAST) / LEAST) / decades)),
    ticks: Array.from({ length: decades + 1 }, (_, power) => LEAST * 10 ** power),
  };
}
