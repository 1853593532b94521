/** Several series on one time axis, with silence as silence. Pure. */

/** @typedef {import("./series.js").Series} Series */

/**
 * Columns for the chart: `xs` in seconds, ascending and unique; per series a column where `null` is silence
 * (the line breaks), and `undefined` only means that another series has a point there (the line goes on).
 * `dots`: per series the indices of points without a neighbour, which no line shows.
 * @typedef {(number | null | undefined)[]} Column
 * @typedef {{xs: number[], value: Column[], low: Column[], high: Column[], dots: number[][]}} Aligned
 */

/**
 * How far apart two points of a series may be to be joined by a line.
 * @param {number} limit_ms from the expected interval
 * @param {number | null} bucket_ms width of history's buckets
 */
export function reach(limit_ms, bucket_ms) {
  return Math.max(limit_ms, 1.5 * (bucket_ms ?? 0));
}

/**
 * @param {Series[]} series
 * @param {number} limit_ms silence is what lasts longer
 * @returns {Aligned}
 */
export function align(series, limit_ms) {
  const times = unionOfTimes(series, limit_ms);
  /** @type {Aligned} */
  const aligned = { xs: times.map((ms) => ms / 1000), value: [], low: [], high: [], dots: [] };
  const places = new Map(times.map((ms, index) => [ms, index]));
  for (const one of series) {
    const at = one.ts.map((ms) => /** @type {number} */ (places.get(ms)));
    const broken = breaks(one, reach(limit_ms, one.bucket_ms));
    aligned.value.push(spread(one.value, at, broken, times.length));
    aligned.low.push(spread(one.low, at, broken, times.length));
    aligned.high.push(spread(one.high, at, broken, times.length));
    aligned.dots.push(lonely(at, broken));
  }
  return aligned;
}

/**
 * Per point of a series, whether silence lies before it. The first has nothing before it.
 * @param {Series} series
 * @param {number} reach_ms
 */
function breaks(series, reach_ms) {
  return series.ts.map((ms, i) => i === 0 || ms - /** @type {number} */ (series.ts[i - 1]) > reach_ms);
}

/**
 * All times at which something is, and one within each silence, so that there is a place for its null.
 * @param {Series[]} series
 * @param {number} limit_ms
 */
function unionOfTimes(series, limit_ms) {
  /** @type {Set<number>} */
  const times = new Set();
  for (const one of series) {
    const reach_ms = reach(limit_ms, one.bucket_ms);
    one.ts.forEach((ms, i) => {
      const before = one.ts[i - 1];
      times.add(ms);
      if (before !== undefined && ms - before > reach_ms) times.add(before + Math.floor(reach_ms / 2));
    });
  }
  // Optimization: a typed array sorts numbers about five times as fast as an array with a comparison.
  return Array.from(Float64Array.from(times).sort());
}

/**
 * A column of `length` with a series' values at their places. All places within a silence are null, also
 * those of other series' points: the chart breaks a line only between neighbouring places.
 * @param {number[]} values
 * @param {number[]} at
 * @param {boolean[]} broken
 * @param {number} length
 */
function spread(values, at, broken, length) {
  /** @type {Column} */
  const column = new Array(length).fill(undefined);
  values.forEach((value, i) => {
    const place = /** @type {number} */ (at[i]);
    column[place] = value;
    const before = at[i - 1];
    if (before !== undefined && broken[i]) column.fill(null, before + 1, place);
  });
  return column;
}

/**
 * The places of points with silence (or nothing) on both sides.
 * @param {number[]} at
 * @param {boolean[]} broken
 */
function lonely(at, broken) {
  return at.filter((_, i) => broken[i] && (broken[i + 1] ?? true));
}
