/** The axes of a chart: labels, room and range. Pure but for the chart's own measures. */

import { formatClock, formatDay, formatNumber, formatShortClock } from "./format.js";

/** What of a chart an axis asks for. @typedef {{over: HTMLElement, valToPos: (value: number, scale: string) => number}} Plot */

/** How labels are written. @typedef {{family: string, px: number}} Font */

const DAY_S = 86_400;

/** Width of a digit in ems of the system's fonts. */
const DIGIT_EM = 0.62;

/** Room right of the newest moment. */
export const EDGE_PX = 12;

/**
 * The axis' labels: seconds only where the grid is finer than a minute, days where it is a day or more.
 * @param {number[]} splits seconds
 * @param {number} step_s
 */
function timeLabels(splits, step_s) {
  const format = step_s >= DAY_S ? formatDay : step_s < 60 ? formatClock : formatShortClock;
  return splits.map((seconds) => format(seconds * 1000));
}

/**
 * Without the last label where it would be cut off by the edge.
 * @param {Plot} plot
 * @param {number[]} splits
 * @param {number} step_s
 * @param {number} px size of the font
 */
function timeLabelsInside(plot, splits, step_s, px) {
  const labels = timeLabels(splits, step_s);
  const room = plot.over.clientWidth - plot.valToPos(splits.at(-1) ?? 0, "x");
  return room + EDGE_PX < widest(labels.slice(-1), px) / 2 ? labels.with(-1, "") : labels;
}

/**
 * @param {string[]} labels
 * @param {number} px size of the font
 */
function widest(labels, px) {
  return Math.max(0, ...labels.map((text) => text.length)) * px * DIGIT_EM;
}

/** As many decimal places as the grid has. @param {number[]} splits */
function valueLabels(splits) {
  const step = Math.abs((splits[1] ?? 1) - (splits[0] ?? 0)) || 1;
  const places = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) - 1e-9)));
  return splits.map((value) => formatNumber(value, places));
}

/**
 * Room above and below, and never a range of nothing: a constant is a line in the middle.
 * @param {number | null} min
 * @param {number | null} max
 * @returns {[number, number]}
 */
export function valueRange(min, max) {
  if (min === null || max === null) return [0, 1];
  const room = (max - min) * 0.08 || Math.abs(max) * 0.02 || 1;
  return [min - room, max + room];
}

/**
 * Time below, values at the left: as wide as their longest label, in steps, so that nothing twitches.
 * @param {Font} font
 * @param {(token: string) => string} colour
 */
export function axes({ family, px }, colour) {
  const grid = { stroke: colour("--chart-grid"), width: 1 };
  const common = { stroke: colour("--text-2"), font: px + "px " + family, grid, ticks: { show: false } };
  /** @param {Plot} plot @param {number[]} splits @param {number} _axis @param {number} _space @param {number} step_s */
  const times = (plot, splits, _axis, _space, step_s) => timeLabelsInside(plot, splits, step_s, px);
  /** @param {Plot} _plot @param {number[]} splits */
  const values = (_plot, splits) => valueLabels(splits);
  /** @param {Plot} _plot @param {string[] | null} labels */
  const size = (_plot, labels) => Math.max(40, Math.ceil((widest(labels ?? [], px) + 16) / 8) * 8);
  return [
    { ...common, space: 6.7 * px, size: 2.3 * px, values: times },
    { ...common, space: 3 * px, size, values },
  ];
}
