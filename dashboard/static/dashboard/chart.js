/** A time chart: the only module that knows uPlot. Colours come from tokens.css, so both schemes are right. */

import uPlot from "/static/vendor/uplot/uPlot.esm.js";
import { axes, EDGE_PX, valueRange } from "./axes.js";

/** @typedef {import("./gaps.js").Aligned} Aligned */
/** @typedef {{from_ms: number, to_ms: number}} Window */
/** @typedef {{label: string, slot: number, shown: boolean}} Line */

/** Lines have six colours; beyond them the same colours come again dashed. */
export const NUM_COLOURS = 6;
const DASH = [5, 4];
const AXIS_REM = 0.75;

const rootPx = () => Number.parseFloat(getComputedStyle(document.documentElement).fontSize);

export class Chart {
  /**
   * @param {HTMLElement} host an element with a size of its own
   * @param {(ts_ms: number | null) => void} onCursor the moment under the pointer or the arrow keys
   */
  constructor(host, onCursor) {
    this._host = host;
    this._onCursor = onCursor;
    /** @type {uPlot | null} */
    this._plot = null;
    /** @type {Line[]} */
    this._lines = [];
    /** @type {Aligned} */
    this._aligned = { xs: [], value: [], low: [], high: [], dots: [] };
    /** @type {Window} */
    this._window = { from_ms: 0, to_ms: 1 };
    this._banded = false;
    this._build = this._build.bind(this);
  }

  start() {
    new ResizeObserver(() => this._resize()).observe(this._host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this._build);
    this._host.addEventListener("keydown", (event) => this._key(event));
    this._host.addEventListener("blur", () => this._plot?.setCursor({ left: -10, top: -10 }));
  }

  /** @param {Line[]} lines */
  setLines(lines) {
    this._lines = lines;
    this._aligned = { xs: [], value: [], low: [], high: [], dots: [] };
    this._build();
  }

  /**
   * @param {number} index of the line
   * @param {boolean} shown
   */
  show(index, shown) {
    const line = this._lines[index];
    if (!line) return;
    line.shown = shown;
    for (const series of this._seriesOf(index)) this._plot?.setSeries(series, { show: shown });
  }

  /** Bring one line forward; null: all alike. @param {number | null} index */
  focus(index) {
    const series = index === null ? null : /** @type {number} */ (this._seriesOf(index)[0]);
    this._plot?.setSeries(series, { focus: true });
  }

  /**
   * @param {Aligned} aligned
   * @param {Window} window
   * @param {boolean} banded whether points stand for more than one reading
   */
  setData(aligned, window, banded) {
    this._aligned = aligned;
    this._window = window;
    if (banded === this._banded) this._fill();
    else {
      this._banded = banded;
      this._build();
    }
  }

  /** Move the window on without new data. @param {Window} window */
  setWindow(window) {
    this._window = window;
    this._plot?.setScale("x", { min: window.from_ms / 1000, max: window.to_ms / 1000 });
  }

  _fill() {
    const { xs, value, low, high } = this._aligned;
    const columns = this._banded
      ? value.flatMap((column, i) => [column, low[i] ?? [], high[i] ?? []])
      : value;
    this._plot?.batch(() => {
      this._plot?.setData(/** @type {uPlot.AlignedData} */ ([xs, ...columns]), false);
      this.setWindow(this._window);
    });
  }

  /** The columns of a line: its own, and with bands those of its smallest and largest values. @param {number} line */
  _seriesOf(line) {
    if (!this._banded) return [line + 1];
    return [3 * line + 1, 3 * line + 2, 3 * line + 3];
  }

  _build() {
    this._plot?.destroy();
    this._plot = null;
    if (this._lines.length === 0) return;
    const style = getComputedStyle(this._host);
    /** @param {string} token */
    const colour = (token) => style.getPropertyValue(token).trim();
    const series = this._lines.flatMap((line, i) => this._series(line, i, colour));
    const bands = this._banded ? this._lines.map((line, i) => this._band(line, i, colour)) : [];
    this._plot = new uPlot(
      {
        ...this._size(),
        series: [{}, ...series],
        bands,
        legend: { show: false },
        focus: { alpha: 0.25 },
        padding: [20, EDGE_PX, 0, 0],
        cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { size: 7 } },
        scales: { x: { time: true }, y: { range: (_, min, max) => valueRange(min, max) } },
        axes: axes({ family: style.fontFamily, px: AXIS_REM * rootPx() }, colour),
        hooks: { setCursor: [(plot) => this._cursorMoved(plot)] },
      },
      undefined,
      this._host,
    );
    this._fill();
  }

  /**
   * @param {Line} line
   * @param {number} index
   * @param {(token: string) => string} colour
   * @returns {uPlot.Series[]}
   */
  _series(line, index, colour) {
    const stroke = colour("--series-" + ((line.slot % NUM_COLOURS) + 1));
    const dash = line.slot >= NUM_COLOURS ? { dash: DASH } : {};
    const edge = { show: line.shown, stroke: "transparent", width: 0, points: { show: false } };
    /** @type {uPlot.Series} */
    const main = {
      show: line.shown,
      label: line.label,
      stroke,
      width: 1.5,
      ...dash,
      // A point without a neighbour is on no line; as a dot it is seen.
      points: { show: false, size: 4, width: 0, fill: stroke, filter: () => this._dotsInWindow(index) },
    };
    return this._banded ? [main, edge, edge] : [main];
  }

  /**
   * @param {Line} line
   * @param {number} index
   * @param {(token: string) => string} colour
   * @returns {uPlot.Band}
   */
  _band(line, index, colour) {
    return {
      series: [3 * index + 3, 3 * index + 2],
      fill: colour("--series-" + ((line.slot % NUM_COLOURS) + 1)) + "2e",
    };
  }

  /** @param {number} index @returns {number[] | null} */
  _dotsInWindow(index) {
    const dots = this._aligned.dots[index] ?? [];
    return dots.length > 0 ? dots : null;
  }

  _size() {
    return { width: Math.max(this._host.clientWidth, 80), height: Math.max(this._host.clientHeight, 80) };
  }

  _resize() {
    const { width, height } = this._size();
    if (this._plot && (this._plot.width !== width || this._plot.height !== height)) {
      this._plot.setSize({ width, height });
    }
  }

  /** @param {uPlot} plot */
  _cursorMoved(plot) {
    const { left } = plot.cursor;
    const over = left !== undefined && left >= 0;
    this._onCursor(over ? plot.posToVal(left, "x") * 1000 : null);
  }

  /** Arrow keys move the cursor by a fiftieth of the window, Escape lets it go. @param {KeyboardEvent} event */
  _key(event) {
    const plot = this._plot;
    if (!plot || !["ArrowLeft", "ArrowRight", "Home", "End", "Escape"].includes(event.key)) return;
    event.preventDefault();
    const width = plot.over.clientWidth;
    const left = plot.cursor.left ?? -1;
    const from = left >= 0 ? left : width;
    const step = (event.shiftKey ? 5 : 1) * Math.max(1, width / 50);
    const moved = { ArrowLeft: from - step, ArrowRight: from + step, Home: 0, End: width, Escape: -10 }[
      event.key
    ];
    const clamped = event.key === "Escape" ? -10 : Math.max(0, Math.min(width - 1, moved ?? 0));
    plot.setCursor({ left: clamped, top: event.key === "Escape" ? -10 : 1 });
  }
}
