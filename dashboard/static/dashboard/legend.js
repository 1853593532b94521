/** A chart's legend: each line by colour, dashes and name, with its value; a press hides or shows it. */

import { NUM_COLOURS } from "./chart.js";
import { el, setAttribute, svg } from "./dom.js";

/** @typedef {{label: string, slot: number, shown: boolean, value: HTMLElement}} Item */
/** @typedef {import("./chart.js").Chart} Chart */

/**
 * @param {HTMLElement} list
 * @param {Item[]} items in the order of the chart's lines
 * @param {Chart} chart
 */
export function showLegend(list, items, chart) {
  list.replaceChildren(...items.map((item, index) => legendItem(item, index, chart)));
}

/**
 * @param {Item} item
 * @param {number} index
 * @param {Chart} chart
 */
function legendItem(item, index, chart) {
  const button = el(
    "button",
    {
      type: "button",
      class: "legend-item",
      "aria-pressed": String(item.shown),
      title: "Show or hide this line",
    },
    swatch(item.slot),
    el("span", { class: "legend-name" }, item.label),
    item.value,
  );
  button.addEventListener("click", () => {
    item.shown = !item.shown;
    setAttribute(button, "aria-pressed", String(item.shown));
    chart.show(index, item.shown);
  });
  button.addEventListener("pointerenter", () => chart.focus(item.shown ? index : null));
  button.addEventListener("pointerleave", () => chart.focus(null));
  return el("li", {}, button);
}

/** A piece of the line as it is drawn. @param {number} slot */
export function swatch(slot) {
  const dashes = slot >= NUM_COLOURS ? "4 3" : "none";
  const line = svg("line", { x1: "0", y1: "4", x2: "18", y2: "4", "stroke-dasharray": dashes });
  const colour = "swatch series-" + ((slot % NUM_COLOURS) + 1);
  return svg("svg", { class: colour, viewBox: "0 0 18 8", "aria-hidden": "true" }, line);
}
