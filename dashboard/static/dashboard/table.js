/** The live table of a type's devices. Of a long one only the rows in sight exist. */

import { el, setAttribute } from "./dom.js";
import { ALL_UP_TO, rowWindow } from "./rowwindow.js";
import { silenceLimit } from "./staleness.js";
import { headRow, TableRow } from "./tablerow.js";

/** @typedef {import("./types.js").Metric} Metric */
/** @typedef {import("./store.js").Device} Device */

/** Where more values change in a second, flashing is noise, and costs more than all the rest. */
const FLASH_UP_TO = 80;

export class DeviceTable {
  /**
   * @param {HTMLTableElement} table
   * @param {(id: string) => void} onPick a device's mark for the chart was pressed
   */
  constructor(table, onPick) {
    this._table = table;
    this._head = /** @type {HTMLTableSectionElement} */ (table.tHead);
    this._body = /** @type {HTMLTableSectionElement} */ (table.tBodies[0]);
    this._onPick = onPick;
    this._above = spacer();
    this._below = spacer();
    /** @type {Metric[]} */
    this._metrics = [];
    this._limit_ms = Number.POSITIVE_INFINITY;
    /** All devices to show, in order. @type {Device[]} */
    this._order = [];
    /** Those that exist as rows. @type {Map<string, TableRow>} */
    this._rows = new Map();
    /** @type {Set<string>} */
    this._dirty = new Set();
    /** @type {Map<string, number>} */
    this._slots = new Map();
    this._range = { from: 0, to: 0 };
    this._row_px = 0;
    this._numChanged = 0;
    this._flash = true;
  }

  /** @param {() => void} request asks for a frame */
  start(request) {
    addEventListener("scroll", request, { passive: true });
    addEventListener("resize", request);
  }

  /**
   * New columns; all rows are made again.
   * @param {Metric[]} metrics
   * @param {number | null} expectedInterval_s
   */
  setMetrics(metrics, expectedInterval_s) {
    this._metrics = metrics;
    this._limit_ms = silenceLimit(expectedInterval_s);
    this._head.replaceChildren(headRow(metrics));
    this._rows.clear();
    this._body.replaceChildren(this._above, this._below);
  }

  /** The devices to show, in order. Rows that stay are kept, and so are focus and selection. @param {Device[]} devices */
  setDevices(devices) {
    this._order = devices;
    setAttribute(this._table, "aria-rowcount", String(devices.length + 1));
    this._place();
    this.touch(this._rows.keys());
  }

  /** @param {Iterable<string>} ids */
  touch(ids) {
    for (const id of ids) if (this._rows.has(id)) this._dirty.add(id);
  }

  /** Which devices are in the chart, and as which line. @param {Map<string, number>} slots */
  setPicked(slots) {
    this._slots = slots;
    for (const [id, row] of this._rows) row.showPick(slots.get(id));
  }

  /** Once a second: ages go on. */
  tick() {
    this._flash = this._numChanged <= FLASH_UP_TO;
    this._numChanged = 0;
    this.touch(this._rows.keys());
  }

  /** @param {number} now_ms hub time */
  draw(now_ms) {
    const { from, to } = this._wanted();
    if (from !== this._range.from || to !== this._range.to) this._place();
    for (const id of this._dirty) this._numChanged += this._rows.get(id)?.write(now_ms, this._flash) ?? 0;
    this._dirty.clear();
  }

  _wanted() {
    const count = this._order.length;
    if (count <= ALL_UP_TO) return { from: 0, to: count };
    const above_px = -this._body.getBoundingClientRect().top;
    return rowWindow({ count, above_px, view_px: innerHeight, row_px: this._row_px });
  }

  /** Make the rows of the window, in order, and hold the place of all others. */
  _place() {
    this._keepWidths();
    this._range = this._wanted();
    const { from, to } = this._range;
    const shown = this._order.slice(from, to);
    const wanted = new Set(shown.map((device) => device.id));
    for (const [id, row] of this._rows) if (!wanted.has(id)) this._drop(id, row);
    shown.forEach((device, index) => {
      const row = this._rows.get(device.id) ?? this._make(device);
      row.device = device;
      setAttribute(row.tr, "aria-rowindex", String(from + index + 2));
      // The first row is the place of those above.
      const there = this._body.rows[index + 1] ?? this._below;
      if (there !== row.tr) this._body.insertBefore(row.tr, there);
    });
    this._row_px = this._body.rows[1]?.offsetHeight || this._row_px;
    hold(this._above, from * this._row_px);
    hold(this._below, (this._order.length - to) * this._row_px);
  }

  /** Columns as wide as they ever were: rows that come and go would move them. */
  _keepWidths() {
    if (this._order.length <= ALL_UP_TO) return;
    const heads = [...(this._head.rows[0]?.cells ?? [])];
    const widths = heads.map((head) => head.offsetWidth);
    heads.forEach((head, index) => {
      head.style.minWidth = widths[index] + "px";
    });
  }

  /** @param {Device} device */
  _make(device) {
    const row = new TableRow(device, this._metrics, this._limit_ms);
    row.pick.addEventListener("click", () => this._onPick(device.id));
    row.showPick(this._slots.get(device.id));
    this._rows.set(device.id, row);
    this._dirty.add(device.id);
    return row;
  }

  /**
   * @param {string} id
   * @param {TableRow} row
   */
  _drop(id, row) {
    this._rows.delete(id);
    this._dirty.delete(id);
    row.tr.remove();
  }
}

/** A row that holds the place of rows that do not exist. */
function spacer() {
  return el("tr", { class: "spacer", "aria-hidden": "true" }, el("td", { colspan: "1000" }));
}

/**
 * @param {HTMLTableRowElement} row
 * @param {number} height_px
 */
function hold(row, height_px) {
  row.hidden = height_px === 0;
  row.style.height = height_px + "px";
}
