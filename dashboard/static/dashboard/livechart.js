/** A chart of one metric over devices, history and live in one: what to load, to keep and to draw. */

import { forEachFew, readings } from "./api.js";
import { Chart } from "./chart.js";
import { el, setText } from "./dom.js";
import { formatAge, formatClock, formatWithUnit, metricName } from "./format.js";
import { align, reach } from "./gaps.js";
import { showLegend } from "./legend.js";
import { Series } from "./series.js";
import { silenceLimit } from "./staleness.js";

/** @typedef {import("./types.js").Metric} Metric */
/** @typedef {{id: string, label: string, slot: number, shown: boolean, series: Series, value: HTMLElement}} Entry */

export const MAX_LINES = 12;

/** Points of history a line: about one for each pixel or two; fewer where many lines share the place. */
const HISTORY_POINTS = 720;
const HISTORY_POINTS_MANY = 288;

/** Up to so many lines have a band from the smallest to the largest value that a point stands for. */
const MAX_BANDS = 4;

/** Live points after which history is read again, so that the day's chart stays as coarse as it began. */
const REFRESH_AFTER_LIVE = 4 * HISTORY_POINTS;

/** Redraws while values come in; more often nobody sees, and the table needs the time too. */
const DRAW_EVERY_MS = 100;

/**
 * The elements of a chart's panel, as the templates lay them out.
 * @param {HTMLElement} panel
 */
function parts(panel) {
  /** @param {string} name */
  const part = (name) => /** @type {HTMLElement} */ (panel.querySelector("[data-part=" + name + "]"));
  return {
    plot: part("plot"),
    unit: part("unit"),
    moment: part("moment"),
    legend: part("legend"),
    message: part("message"),
    spoken: part("spoken"),
  };
}

export class LiveChart {
  /**
   * @param {HTMLElement} panel
   * @param {{now: () => number, request: () => void}} page the hub's clock, and a way to ask for a frame
   * @param {(id: string, key: string) => import("./types.js").Value | undefined} newest value of a device,
   *   which a chart of means does not have
   */
  constructor(panel, page, newest) {
    this._panel = panel;
    this._page = page;
    this._newest = newest;
    this._parts = parts(panel);
    this._chart = new Chart(this._parts.plot, (ts_ms) => this._pointAt(ts_ms));
    /** @type {Map<string, Entry>} */
    this._entries = new Map();
    /** @type {Metric | null} */
    this.metric = null;
    this._range_ms = 300_000;
    this._limit_ms = Number.POSITIVE_INFINITY;
    /** @type {number | null} */
    this._cursor_ms = null;
    this._dirty = false;
    this._drawn_ms = 0;
    this._spoken_ms = 0;
    /** @type {AbortController | null} */
    this._loading = null;
  }

  start() {
    this._chart.start();
    this._parts.message.addEventListener("click", (event) => {
      if (event.target instanceof HTMLButtonElement) this.load();
    });
  }

  /**
   * Show something else; `load()` fills it.
   * @param {{metric: Metric, devices: {id: string, label: string, slot: number}[], range_ms: number,
   *   expectedInterval_s: number | null}} what
   */
  show({ metric, devices, range_ms, expectedInterval_s }) {
    const hidden = new Set([...this._entries.values()].filter((one) => !one.shown).map((one) => one.id));
    this.metric = metric;
    this._range_ms = range_ms;
    this._limit_ms = silenceLimit(expectedInterval_s);
    this._entries = new Map(devices.map((device) => [device.id, entry(device, !hidden.has(device.id))]));
    this._legend();
    setText(this._parts.unit, metric.unit);
    this._chart.setLines([...this._entries.values()]);
    this._dirty = true;
  }

  /** Fill the window from history. What comes live meanwhile is kept. */
  async load() {
    const metric = this.metric;
    if (!metric) return;
    this._loading?.abort();
    const loading = new AbortController();
    this._loading = loading;
    this._say("loading", "Loading history\u2026");
    const to_ms = Math.ceil(this._page.now());
    const window = {
      from_ms: to_ms - this._range_ms,
      to_ms,
      points: this._fewLines() ? HISTORY_POINTS : HISTORY_POINTS_MANY,
    };
    try {
      await forEachFew([...this._entries.values()], async (one) => {
        one.series.setHistory(await readings(one.id, [metric.key], window, loading.signal), metric.key);
      });
      this._say("", "");
    } catch (error) {
      if (loading.signal.aborted) return;
      loading.abort();
      this._say("error", error instanceof Error ? error.message : String(error));
    }
    this._dirty = true;
    this._page.request();
  }

  /**
   * Live rows, of whatever devices.
   * @param {{metrics: string[], rows: import("./types.js").Row[]}} message
   */
  push({ metrics, rows }) {
    const column = this.metric ? metrics.indexOf(this.metric.key) : -1;
    if (column < 0) return;
    for (const [id, ts_ms, , , cells] of rows) {
      const value = cells[column];
      if (typeof value !== "number") continue;
      const one = this._entries.get(id);
      if (!one) continue;
      one.series.push(ts_ms, value);
      this._dirty = true;
    }
  }

  /** Once a second: the window moves on although nothing comes. */
  tick() {
    const before_ms = this._page.now() - 1.1 * this._range_ms;
    let numLive = 0;
    for (const one of this._entries.values()) {
      one.series.trim(before_ms);
      numLive = Math.max(numLive, one.series.numLive);
    }
    if (this._range_ms > 3_600_000 && numLive > REFRESH_AFTER_LIVE) this.load();
    this._dirty = true;
  }

  /** @param {number} frame_ms the frame's own clock */
  draw(frame_ms) {
    if (!this._dirty || this._entries.size === 0) return;
    if (frame_ms - this._drawn_ms < DRAW_EVERY_MS) {
      this._page.request();
      return;
    }
    this._dirty = false;
    this._drawn_ms = frame_ms;
    const series = [...this._entries.values()].map((one) => one.series);
    const banded = this._fewLines() && series.some((one) => one.bucket_ms !== null);
    const to_ms = this._page.now();
    this._chart.setData(align(series, this._limit_ms), { from_ms: to_ms - this._range_ms, to_ms }, banded);
    this._values();
    this._state(series, to_ms);
  }

  /**
   * @param {Series[]} series
   * @param {number} to_ms
   */
  _state(series, to_ms) {
    const empty = series.every((one) => (one.ts.at(-1) ?? 0) < to_ms - this._range_ms);
    if (this._panel.dataset.state === "loading" || this._panel.dataset.state === "error") return;
    this._say(empty ? "empty" : "", empty ? "No reading in this time." : "");
    if (to_ms - this._spoken_ms < 30_000) return;
    this._spoken_ms = to_ms;
    this._describe();
  }

  /** What the chart shows, in words, for who does not see it; renewed twice a minute, never announced. */
  _describe() {
    const metric = this.metric;
    if (!metric) return;
    const values = [...this._entries.values()].map((one) => {
      return one.label + " " + formatWithUnit(this._newest(one.id, metric.key), metric);
    });
    setText(this._parts.spoken, metricName(metric) + ", newest values: " + values.join(", ") + ".");
  }

  /** The moment under the cursor, or none. @param {number | null} ts_ms */
  _pointAt(ts_ms) {
    this._cursor_ms = ts_ms;
    this._values();
  }

  _fewLines() {
    return this._entries.size <= MAX_BANDS;
  }

  /** Legend: values under the cursor, or the newest. */
  _values() {
    const metric = this.metric;
    if (!metric) return;
    const at_ms = this._cursor_ms;
    let text = at_ms === null ? this._coarseness() : "at " + formatClock(at_ms);
    for (const { id, series, value } of this._entries.values()) {
      const within_ms = Math.max(reach(this._limit_ms, series.bucket_ms) / 2, this._range_ms / 400);
      const held = at_ms === null ? this._newest(id, metric.key) : series.nearest(at_ms, within_ms)?.value;
      setText(value, formatWithUnit(held, metric));
      if (this._entries.size === 1 && at_ms !== null) text += ": " + formatWithUnit(held, metric);
    }
    setText(this._parts.moment, text);
  }

  /** What a point stands for, where it is more than one reading. */
  _coarseness() {
    const bucket_ms = Math.max(0, ...[...this._entries.values()].map((one) => one.series.bucket_ms ?? 0));
    if (bucket_ms === 0) return "";
    return (this._fewLines() ? "mean and range of " : "mean of ") + formatAge(bucket_ms);
  }

  _legend() {
    const { legend } = this._parts;
    // One line needs no name: the page is about it.
    legend.hidden = this._entries.size < 2;
    showLegend(legend, [...this._entries.values()], this._chart);
  }

  /**
   * @param {"" | "loading" | "empty" | "error"} state
   * @param {string} text
   */
  _say(state, text) {
    if (this._panel.dataset.state === state && this._parts.message.firstChild?.textContent === text) return;
    this._panel.dataset.state = state;
    this._parts.message.replaceChildren(...(text ? [el("span", {}, text)] : []));
    if (state === "error")
      this._parts.message.append(el("button", { type: "button", class: "button" }, "Try again"));
  }
}

/**
 * @param {{id: string, label: string, slot: number}} device
 * @param {boolean} shown
 * @returns {Entry}
 */
function entry(device, shown) {
  return { ...device, shown, series: new Series(), value: el("span", { class: "legend-value" }) };
}
