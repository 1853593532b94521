/** What to say about the way from the devices to this page, from what was heard and the clock. Pure. */

import { formatClock } from "./format.js";

/** @typedef {import("./types.js").Heartbeat} Heartbeat */
/** @typedef {import("./types.js").Bridge} Bridge */

/** Heartbeats come every 5 s; after two of them were due and nothing was heard the link counts as down. */
export const LINK_SILENT_MS = 10_000;

/** A bridge that was not heard of for so long does not receive, whatever it said last. */
export const BRIDGE_SILENT_MS = 6_000;

/**
 * @typedef {"connecting" | "live" | "link" | "receiving" | "storing" | "layer" | "refused"} Level
 * @typedef {{level: Level, stale: boolean, label: string, detail: string, since_ms: number | null}} Verdict
 */

/**
 * @typedef {object} Heard
 * @property {"connecting" | "open" | "waiting" | "refused"} phase of the socket
 * @property {boolean} everOpen whether a socket was ever open on this page
 * @property {number} silent_ms how long nothing at all was heard
 * @property {number | null} downSince_ms when the link broke, hub time
 * @property {string} refusal why the hub does not let us in; only when refused
 * @property {Heartbeat | null} heartbeat the newest
 * @property {number} now_ms hub time
 */

/**
 * The worst that is true, nearest cause first: with the link down nothing is known of what lies behind it.
 * @param {Heard} heard
 * @returns {Verdict}
 */
export function judgeLink(heard) {
  if (heard.phase === "refused") return verdict("refused", true, "Signed out", heard.refusal, null);
  if (!heard.everOpen && heard.phase === "connecting") {
    return verdict("connecting", false, "Connecting", "Opening the live channel.", null);
  }
  if (heard.phase !== "open" || heard.silent_ms > LINK_SILENT_MS) return linkDown(heard.downSince_ms);
  return heard.heartbeat
    ? judgeHub(heard.heartbeat, heard.now_ms)
    : verdict("live", false, "Connected", "", null);
}

/** @param {number | null} since_ms */
function linkDown(since_ms) {
  const since = since_ms === null ? "" : " What you see is from before " + formatClock(since_ms) + ".";
  return verdict(
    "link",
    true,
    "Your link is down \u2013 reconnecting",
    "This browser cannot reach the hub." +
      since +
      " The hub goes on without it, and what you miss is sent afterwards.",
    since_ms,
  );
}

/**
 * @param {Heartbeat} heartbeat
 * @param {number} now_ms
 */
function judgeHub(heartbeat, now_ms) {
  if (heartbeat.bridges.length === 0) {
    return verdict(
      "receiving",
      true,
      "Hub not receiving",
      "No bridge is running, so no reading arrives.",
      null,
    );
  }
  const deaf = oldest(heartbeat.bridges, (bridge) => receivingEnded(bridge, now_ms));
  if (deaf) {
    return verdict(
      "receiving",
      true,
      "Hub not receiving since " + formatClock(deaf.since_ms),
      "The hub has no connection to the MQTT broker" +
        slotText(heartbeat, deaf.bridge) +
        ". Readings wait at the broker and arrive when it is back.",
      deaf.since_ms,
    );
  }
  const full = oldest(heartbeat.bridges, (bridge) => (bridge.storing ? null : bridge.storing_since_ms));
  if (full) {
    return verdict(
      "storing",
      true,
      "Hub not storing since " + formatClock(full.since_ms),
      "The hub cannot write to its database" +
        slotText(heartbeat, full.bridge) +
        ". Readings are held back until it can.",
      full.since_ms,
    );
  }
  if (heartbeat.layer === "down") {
    const detail = "Readings are stored and shown, about a second later than usual.";
    return verdict("layer", false, "Live channel down, updating once a second", detail, null);
  }
  return verdict("live", false, "Live", "", null);
}

/**
 * Since when a bridge does not receive; null while it does.
 * @param {Bridge} bridge
 * @param {number} now_ms
 */
function receivingEnded(bridge, now_ms) {
  if (!bridge.receiving) return bridge.receiving_since_ms;
  return now_ms - bridge.heard_ms > BRIDGE_SILENT_MS ? bridge.heard_ms : null;
}

/**
 * @param {Bridge[]} bridges
 * @param {(bridge: Bridge) => number | null} since
 */
function oldest(bridges, since) {
  /** @type {{bridge: Bridge, since_ms: number} | null} */
  let found = null;
  for (const bridge of bridges) {
    const since_ms = since(bridge);
    if (since_ms !== null && (!found || since_ms < found.since_ms)) found = { bridge, since_ms };
  }
  return found;
}

/**
 * @param {Heartbeat} heartbeat
 * @param {Bridge} bridge
 */
function slotText(heartbeat, bridge) {
  return heartbeat.bridges.length > 1 ? " (bridge " + bridge.slot + ")" : "";
}

/**
 * @param {Level} level
 * @param {boolean} stale
 * @param {string} label
 * @param {string} detail
 * @param {number | null} since_ms
 * @returns {Verdict}
 */
function verdict(level, stale, label, detail, since_ms) {
  return { level, stale, label, detail, since_ms };
}

/**
 * After how long without a reading a device of a type is silent; Infinity where nothing is expected.
 * @param {number | null} expectedInterval_s
 */
export function silenceLimit(expectedInterval_s) {
  return expectedInterval_s === null ? Number.POSITIVE_INFINITY : Math.max(2500 * expectedInterval_s, 10_000);
}
