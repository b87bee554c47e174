/** A scale on which a few kilobytes and thousands of gigabytes are both seen: each line is sixteen times the one before. Pure. */

const LEAST = 1 << 20; // what is less than a MiB stands at the left end

/** {at(bytes) → 0..1, ticks: [bytes]} over values. From a MiB to the power of sixteen above the largest. */
export function scaleOver(values) {
  const largest = Math.max(LEAST * 16 ** 3, ...values.filter(Number.isFinite));
  const steps = Math.ceil(Math.log2(largest / LEAST) / 4);
  return {
    at: (value) => Math.log2(Math.max(value, LEAST) / LEAST) / 4 / steps,
    ticks: Array.from({ length: steps + 1 }, (_, power) => LEAST * 16 ** power),
  };
}
