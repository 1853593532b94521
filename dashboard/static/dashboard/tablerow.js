/** One row of the live table: made once, then written only where its text changes. */

import { el, icon, setAttribute, setText } from "./dom.js";
import { formatAge, formatMoment, formatValue, metricName, NOTHING } from "./format.js";
import { swatch } from "./legend.js";
import { showState, stateBadge } from "./states.js";
import { shownName } from "./store.js";

/** @typedef {import("./types.js").Metric} Metric */
/** @typedef {import("./store.js").Device} Device */
/** @typedef {{cell: HTMLElement, text: HTMLElement, metric: Metric}} ValueCell */

/** @param {Metric} metric */
const kindClass = (metric) => (metric.kind === "number" ? "num" : "txt");

/** @param {Metric[]} metrics */
export function headRow(metrics) {
  /** @param {string} text @param {string} name */
  const head = (text, name) => el("th", { scope: "col", class: name }, text);
  const columns = metrics.map((metric) => head(metricName(metric), kindClass(metric)));
  return el("tr", {}, head("Device", "name"), head("State", "txt"), ...columns, head("Last reading", "num"));
}

export class TableRow {
  /**
   * @param {Device} device
   * @param {Metric[]} metrics
   * @param {number} limit_ms after which a value is old
   */
  constructor(device, metrics, limit_ms) {
    this.device = device;
    this._limit_ms = limit_ms;
    this._link = el("a", { href: "/devices/" + encodeURIComponent(device.id) + "/" });
    this.pick = el("button", { type: "button", class: "pick" });
    this._badge = stateBadge();
    this._age = el("td", { class: "num age" });
    this._values = metrics.map(valueCell);
    const box = el("span", { class: "name-box" }, this.pick, this._link);
    const cells = this._values.map(({ cell }) => cell);
    const name = el("th", { scope: "row", class: "name" }, box);
    this.tr = el(
      "tr",
      { "data-id": device.id },
      name,
      el("td", { class: "txt" }, this._badge),
      ...cells,
      this._age,
    );
    /** Only what changes after the first time is a change. */
    this._written = false;
    this.showPick(undefined);
  }

  /** Whether the device is in the chart, and as which line. @param {number | undefined} slot */
  showPick(slot) {
    setAttribute(this.pick, "aria-pressed", String(slot !== undefined));
    this.pick.replaceChildren(slot === undefined ? icon("add") : swatch(slot));
  }

  /**
   * @param {number} now_ms hub time
   * @param {boolean} flash whether changed values flash
   * @returns {number} how many values changed
   */
  write(now_ms, flash) {
    const { device } = this;
    const name = shownName(device);
    setText(this._link, name);
    setAttribute(this._link, "title", name === device.id ? null : device.id);
    setAttribute(this.pick, "aria-label", "Show " + name + " in the chart");
    setAttribute(this.tr, "data-disabled", device.enabled ? null : "");
    showState(this._badge, device);
    this._writeAge(now_ms);
    const flashes = flash && this._written;
    this._written = true;
    return this._values.filter((value) => this._writeValue(value, now_ms, flashes)).length;
  }

  /** @param {number} now_ms */
  _writeAge(now_ms) {
    const { received_ms } = this.device;
    setText(this._age, received_ms === null ? NOTHING : formatAge(Math.max(0, now_ms - received_ms)));
    setAttribute(this._age, "title", received_ms === null ? null : formatMoment(received_ms));
  }

  /**
   * @param {ValueCell} value
   * @param {number} now_ms
   * @param {boolean} flash
   */
  _writeValue({ cell, text, metric }, now_ms, flash) {
    const held = this.device.values.get(metric.key);
    const stale = held !== undefined && now_ms - held.rank > this._limit_ms;
    setAttribute(cell, "data-stale", stale ? "" : null);
    setAttribute(cell, "data-none", held ? null : "");
    if (!setText(text, formatValue(held?.value, metric))) return false;
    setAttribute(cell, "title", held ? formatMoment(held.ts_ms) : null);
    // Two names for one animation: changing the name starts it again without a forced layout.
    if (flash) cell.dataset.flash = cell.dataset.flash === "a" ? "b" : "a";
    return true;
  }
}

/** @param {Metric} metric @returns {ValueCell} */
function valueCell(metric) {
  const text = el("span", {});
  const unit = metric.unit ? [el("span", { class: "unit" }, "\u202f" + metric.unit)] : [];
  return { cell: el("td", { class: kindClass(metric) + " value" }, text, ...unit), text, metric };
}
