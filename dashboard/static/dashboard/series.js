/**
 * One metric of one device over time: what history gave and what came live, in one. Pure; merges by ts.
 * Columns of equal length, `ts` ascending and unique. `low` and `high` are the smallest and largest value
 * that a point stands for; the same as `value` where it is one reading.
 */

/** @typedef {import("./types.js").Columns} Columns */

export class Series {
  constructor() {
    /** @type {number[]} */
    this.ts = [];
    /** @type {number[]} */
    this.value = [];
    /** @type {number[]} */
    this.low = [];
    /** @type {number[]} */
    this.high = [];
    /** Width of history's buckets; null while every point is a reading. @type {number | null} */
    this.bucket_ms = null;
    /** How many points came live since history was read. */
    this.numLive = 0;
  }

  /**
   * One reading. In order, as nearly all are, it costs one append.
   * @param {number} ts_ms
   * @param {number} value
   */
  push(ts_ms, value) {
    const at = lowerBound(this.ts, ts_ms);
    const replaces = this.ts[at] === ts_ms ? 1 : 0;
    this.ts.splice(at, replaces, ts_ms);
    this.value.splice(at, replaces, value);
    this.low.splice(at, replaces, value);
    this.high.splice(at, replaces, value);
    this.numLive += 1 - replaces;
  }

  /**
   * History takes the place of all that it covers; what came live meanwhile stays.
   * @param {Columns} columns
   * @param {string} key of the metric
   */
  setHistory(columns, key) {
    const history = pointsOf(columns, key);
    const bothRaw = columns.bucket_ms === null && this.bucket_ms === null;
    const covered_ms = bothRaw ? null : (columns.ts.at(-1) ?? 0) + (columns.bucket_ms ?? 1);
    const live = this._after(covered_ms);
    this.bucket_ms = columns.bucket_ms;
    this.ts = history.ts;
    this.value = history.value;
    this.low = history.low;
    this.high = history.high;
    live.ts.forEach((ts_ms, i) => {
      this.push(ts_ms, /** @type {number} */ (live.value[i]));
    });
    this.numLive = live.ts.length;
  }

  /** @param {number | null} covered_ms what came before is known better now; null: merge all by ts */
  _after(covered_ms) {
    const from = covered_ms === null ? 0 : lowerBound(this.ts, covered_ms);
    return { ts: this.ts.slice(from), value: this.value.slice(from) };
  }

  /** Forget what lies before the window. @param {number} before_ms */
  trim(before_ms) {
    const cut = lowerBound(this.ts, before_ms);
    // Optimization: cutting the front off moves everything behind it, so not for a few points.
    if (cut < 256) return;
    for (const column of [this.ts, this.value, this.low, this.high]) column.splice(0, cut);
  }

  /**
   * The point nearest to a moment, not farther than `within_ms`.
   * @param {number} ts_ms
   * @param {number} within_ms
   * @returns {{ts_ms: number, value: number} | null}
   */
  nearest(ts_ms, within_ms) {
    const at = lowerBound(this.ts, ts_ms);
    /** @type {{ts_ms: number, value: number} | null} */
    let best = null;
    for (const i of [at - 1, at]) {
      const found = this.ts[i];
      const value = this.value[i];
      if (found === undefined || value === undefined) continue;
      const far = Math.abs(found - ts_ms);
      if (far <= within_ms && (!best || far < Math.abs(best.ts_ms - ts_ms))) best = { ts_ms: found, value };
    }
    return best;
  }
}

/**
 * The first index whose entry is not below `wanted`; searched from the end, where live readings go.
 * @param {ArrayLike<number>} sorted
 * @param {number} wanted
 */
export function lowerBound(sorted, wanted) {
  let high = sorted.length;
  if (high === 0 || /** @type {number} */ (sorted[high - 1]) < wanted) return high;
  let low = 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (/** @type {number} */ (sorted[middle]) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The numbers of a metric in an answer of `readings/`. A bucket stands at its middle.
 * @param {Columns} columns
 * @param {string} key
 */
function pointsOf(columns, key) {
  /** @type {{ts: number[], value: number[], low: number[], high: number[]}} */
  const points = { ts: [], value: [], low: [], high: [] };
  const column = columns.metrics[key];
  if (!column) return points;
  const half_ms = (columns.bucket_ms ?? 0) / 2;
  const values = "value" in column ? column.value : column.mean;
  columns.ts.forEach((ts_ms, i) => {
    const value = values[i];
    if (typeof value !== "number") return;
    points.ts.push(ts_ms + half_ms);
    points.value.push(value);
    points.low.push("min" in column ? (column.min[i] ?? value) : value);
    points.high.push("max" in column ? (column.max[i] ?? value) : value);
  });
  return points;
}
