/** A device's state as shape and word; colour comes on top. */

import { icon, setAttribute, setText } from "./dom.js";
import { becauseText, formatMoment } from "./format.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./store.js").Device} Device */

/** Worst first: the order in which people want to hear of them. @type {State[]} */
export const STATES = ["offline", "silent", "online", "never"];

/** @type {Record<State | "disabled", string>} */
export const STATE_WORDS = {
  online: "online",
  silent: "silent",
  offline: "offline",
  never: "never heard",
  disabled: "disabled",
};

/** A badge to be filled by `showState`. */
export function stateBadge() {
  const badge = document.createElement("span");
  badge.className = "state";
  badge.append(icon("never"), document.createElement("span"));
  return badge;
}

/**
 * @param {HTMLElement} badge from `stateBadge`
 * @param {Device} device
 */
export function showState(badge, device) {
  const state = device.enabled ? device.state : "disabled";
  if (badge.dataset.state === state && badge.dataset.since === String(device.since_ms)) return;
  badge.dataset.state = state;
  badge.dataset.since = String(device.since_ms);
  const use = badge.querySelector("use");
  if (use) setAttribute(use, "href", "#i-" + state);
  if (badge.lastElementChild) setText(badge.lastElementChild, STATE_WORDS[state]);
  setAttribute(badge, "title", stateTitle(device) || null);
}

/** Since when and why. @param {Device} device */
export function stateTitle(device) {
  if (device.since_ms === null) return "";
  const because = becauseText(device.because);
  return "since " + formatMoment(device.since_ms) + (because ? " (" + because + ")" : "");
}
