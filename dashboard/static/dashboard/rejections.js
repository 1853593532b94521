/** What was refused, as rows of a table, with reasons in plain words. */

import { el } from "./dom.js";
import { formatMoment, formatNumber } from "./format.js";

/**
 * @typedef {{id: number, device: string, device_type: string, known: boolean, reason: string,
 *   metric: string | null, detail: string, count: number, first: string, last: string}} Rejection
 */

/** @type {Record<string, string>} */
const REASONS = {
  bad_topic: "The topic is none that a device may use",
  unknown_device: "No device with this id is registered",
  wrong_device_type: "The device is registered with another type",
  device_disabled: "The device is disabled",
  rate_limited: "Too many messages in a short time",
  retained: "A retained message is no new reading",
  too_large: "The message is too large",
  not_json: "The message is not JSON",
  too_many_readings: "Too many readings in one message",
  bad_shape: "The message has another shape than a reading",
  bad_status: "The status is neither online nor offline",
  bad_timestamp: "The time of the reading cannot be read",
  timestamp_in_future: "The time of the reading lies in the future",
  timestamp_too_old: "The reading is older than the type keeps",
  no_values: "The reading holds no value",
  not_storable: "The database refuses the reading",
  unknown_metric: "The type has no such metric",
  wrong_kind: "The value is of another kind than the metric",
  not_finite: "The value is not a finite number",
  too_long: "The text is too long",
  below_minimum: "The value is below the metric\u2019s minimum",
  above_maximum: "The value is above the metric\u2019s maximum",
};

/** @param {string} code */
export function reasonText(code) {
  return REASONS[code] ?? code.replaceAll("_", " ");
}

/**
 * @param {Rejection} rejection
 * @param {boolean} withDevice
 */
export function rejectionRow(rejection, withDevice) {
  const metric = rejection.metric ? " (" + rejection.metric + ")" : "";
  const why = el(
    "td",
    { class: "wide" },
    el("span", { class: "why" }, reasonText(rejection.reason) + metric),
    el("span", { class: "aside" }, rejection.detail),
  );
  const cells = [
    el("td", {}, el("time", { datetime: rejection.last }, formatMoment(Date.parse(rejection.last)))),
    ...(withDevice ? [el("td", {}, deviceName(rejection))] : []),
    why,
    el("td", { class: "num" }, formatNumber(rejection.count, 0)),
  ];
  return el("tr", {}, ...cells);
}

/** Only what is registered has a page. @param {Rejection} rejection */
function deviceName({ device, known }) {
  if (!known) return device || "\u2013";
  return el("a", { href: "/devices/" + encodeURIComponent(device) + "/" }, device);
}
