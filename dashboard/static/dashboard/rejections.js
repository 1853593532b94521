/** What was refused, as rows of a table, with reasons in plain words, and taken once more on request. */

import { postJson } from "./api.js";
import { el, setText } from "./dom.js";
import { formatMoment, formatNumber } from "./format.js";

/**
 * @typedef {{outcome: string | null, stored: number, updated: number, duplicate: number, rejected: number,
 *   reason: string | null}} Replay
 * @typedef {{id: number, device: string, device_type: string, known: boolean, reason: string,
 *   metric: string | null, detail: string, count: number, first: string, last: string,
 *   replayable: boolean, replay: Replay | null}} Rejection
 */

/** The bridge takes a payload within a second; then the list is asked for again. */
const TAKEN_WITHIN_MS = 1_500;

const COUNTS = /** @type {const} */ (["stored", "updated", "duplicate", "rejected"]);

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
  below_minimum: "The value is below the minimum of the metric",
  above_maximum: "The value is above the maximum of the metric",
};

/** @param {string} code */
export function reasonText(code) {
  return REASONS[code] ?? code.replaceAll("_", " ");
}

/**
 * What became of a payload that was taken once more.
 * @param {Replay | null} replay
 */
export function replayText(replay) {
  if (!replay) return "";
  if (!replay.outcome) return "Waiting to be taken\u2026";
  const counts = COUNTS.filter((name) => replay[name] > 0).map((name) => replay[name] + " " + name);
  const text = "Taken again: " + (counts.join(", ") || replay.outcome);
  return replay.reason ? text + ". " + reasonText(replay.reason) : text;
}

/**
 * Fill the body of a table with rejections; who is on a button stays there.
 * @param {HTMLElement} body
 * @param {Rejection[]} rejections
 * @param {boolean} withDevice
 */
export function showRejectionRows(body, rejections, withDevice) {
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  const id = focused?.getAttribute("data-replay");
  body.replaceChildren(...rejections.map((rejection) => rejectionRow(rejection, withDevice)));
  if (id) /** @type {HTMLElement | null} */ (body.querySelector('[data-replay="' + id + '"]'))?.focus();
}

/**
 * Have the buttons in a table ask for a replay.
 * @param {HTMLElement} body
 * @param {HTMLElement} message where an error is said
 * @param {() => void} refresh
 */
export function replayOnClick(body, message, refresh) {
  body.addEventListener("click", async ({ target }) => {
    const id = target instanceof HTMLElement ? target.dataset.replay : undefined;
    if (!id) return;
    try {
      await postJson("/api/v1/rejections/" + id + "/replay/");
      setTimeout(refresh, TAKEN_WITHIN_MS);
      refresh();
    } catch (error) {
      setText(message, error instanceof Error ? error.message : String(error));
    }
  });
}

/**
 * @param {Rejection} rejection
 * @param {boolean} withDevice
 */
function rejectionRow(rejection, withDevice) {
  const metric = rejection.metric ? " (" + rejection.metric + ")" : "";
  const outcome = replayText(rejection.replay);
  const why = el(
    "td",
    { class: "wide" },
    el("span", { class: "why" }, reasonText(rejection.reason) + metric),
    el("span", { class: "aside" }, rejection.detail),
    ...(outcome ? [el("span", { class: "aside", role: "status" }, outcome)] : []),
  );
  const cells = [
    el("td", {}, el("time", { datetime: rejection.last }, formatMoment(Date.parse(rejection.last)))),
    ...(withDevice ? [el("td", {}, deviceName(rejection))] : []),
    why,
    el("td", { class: "num" }, formatNumber(rejection.count, 0)),
    el("td", {}, ...replayButton(rejection)),
  ];
  return el("tr", {}, ...cells);
}

/** @param {Rejection} rejection */
function replayButton({ id, device, reason, replayable, replay }) {
  if (!replayable || (replay && !replay.outcome)) return [];
  const described = "Take again what " + device + " sent: " + reasonText(reason);
  const attributes = { type: "button", class: "button", "data-replay": String(id), "aria-label": described };
  return [el("button", attributes, "Take again")];
}

/** Only what is registered has a page. @param {Rejection} rejection */
function deviceName({ device, known }) {
  if (!known) return device || "\u2013";
  return el("a", { href: "/devices/" + encodeURIComponent(device) + "/" }, device);
}
