/** A small line of a rate over the last minutes, kept by the browser. */

import { setAttribute, svg } from "./dom.js";

/** @typedef {{ts: number[], value: number[]}} Track */

export const SPARK_MS = 300_000;
const WIDTH = 160;
const HEIGHT = 32;

/** Without a word for so long the rate is not known, and the line breaks. */
const BREAK_MS = 5_000;
const KEY = "rates";

/**
 * Add a point and forget what is older than five minutes. Pure but for the track.
 * @param {Track} track
 * @param {number} now_ms
 * @param {number} value
 */
export function extend(track, now_ms, value) {
  if (now_ms <= (track.ts.at(-1) ?? 0)) return;
  track.ts.push(now_ms);
  track.value.push(value);
  while (track.ts.length > 0 && /** @type {number} */ (track.ts[0]) < now_ms - SPARK_MS) {
    track.ts.shift();
    track.value.shift();
  }
}

/** Above so many times the usual rate the line leaves the picture: a burst must not flatten all the rest. */
const BURST = 4;

/** @param {number[]} values */
function topOf(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? 0;
  const highest = sorted.at(-1) ?? 0;
  return 1.1 * (median > 0 ? Math.min(highest, BURST * median) : highest) || 1;
}

/**
 * The path of a track: from zero up; broken where nothing was heard for 5 s.
 * @param {Track} track
 * @param {number} now_ms
 */
export function sparkPath(track, now_ms) {
  const top = topOf(track.value);
  let path = "";
  track.ts.forEach((ts_ms, i) => {
    const x = WIDTH * (1 - (now_ms - ts_ms) / SPARK_MS);
    const y = HEIGHT - 1 - ((HEIGHT - 2) * (track.value[i] ?? 0)) / top;
    const follows = i > 0 && ts_ms - /** @type {number} */ (track.ts[i - 1]) < BREAK_MS;
    path += (follows ? "L" : "M") + x.toFixed(1) + " " + y.toFixed(1);
  });
  return path;
}

export function sparkline() {
  const path = svg("path", { class: "spark-line" });
  const box = {
    class: "spark",
    viewBox: "0 0 " + WIDTH + " " + HEIGHT,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  };
  return { element: svg("svg", box, path), path };
}

/**
 * @param {{path: Element}} spark
 * @param {Track} track
 * @param {number} now_ms
 */
export function drawSpark({ path }, track, now_ms) {
  setAttribute(path, "d", sparkPath(track, now_ms));
}

/** What this tab kept from the page before. @returns {Record<string, Track>} */
export function keptTracks() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}

/** @param {Record<string, Track>} tracks */
export function keepTracks(tracks) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(tracks));
  } catch {
    // A full or forbidden storage costs the sparkline its past, nothing else.
  }
}
