/** The page of a device: what it says now, its charts, and what became of everything that it sent. */

import { getJson } from "../api.js";
import { byId, el, pageData, setAttribute, setText } from "../dom.js";
import { watchFleet } from "../fleetfeed.js";
import {
  clockText,
  formatAge,
  formatMoment,
  formatNumber,
  formatValue,
  metricName,
  NOTHING,
} from "../format.js";
import { LiveChart } from "../livechart.js";
import { Page } from "../page.js";
import { rangeButtons } from "../ranges.js";
import { replayOnClick, showRejectionRows } from "../rejections.js";
import { silenceLimit } from "../staleness.js";
import { showState, stateBadge, stateTitle } from "../states.js";
import { shownName } from "../store.js";

/** @typedef {import("../types.js").Metric} Metric */

/** Counters and rejections are asked for again so often while the page is seen. */
const REFRESH_EVERY_MS = 10_000;

const about = pageData("device");
/** @type {import("../types.js").DeviceType} */
const deviceType = pageData("device-type");
const page = new Page();
const badge = stateBadge();
const range = rangeButtons(byId("range"), showCharts);
let asked_ms = 0;

/** @type {{metric: Metric, box: HTMLElement, value: HTMLElement, age: HTMLElement}[]} */
const readouts = deviceType.metrics.map((metric) => readout(metric));
const charts = [...document.querySelectorAll("[data-metric]")].map((panel) => {
  const box = /** @type {HTMLElement} */ (panel);
  const metric = deviceType.metrics.find((one) => one.key === box.dataset.metric);
  const title = box.querySelector("h3");
  if (metric && title) setText(title, metricName(metric));
  return { metric, chart: new LiveChart(box, page, newest) };
});

const fleet = watchFleet(
  page,
  { device_type: deviceType.slug, devices: [about.id] },
  {
    onSnapshot: showCharts,
    onReadings: (_, message) => {
      for (const { chart } of charts) chart.push(message);
    },
    onStates: () => {},
    onDevices: () => {
      byId("deleted").hidden = fleet.devices.has(about.id) || !fleet.ready;
    },
    onDeviceType: () => location.reload(),
    onError: (text) => setText(byId("device-message"), text),
  },
);

/**
 * @param {string} id
 * @param {string} key
 */
function newest(id, key) {
  return fleet.devices.get(id)?.values.get(key)?.value;
}

/** @param {Metric} metric */
function readout(metric) {
  const value = el("span", { class: "readout-value" }, NOTHING);
  const age = el("span", { class: "readout-age" });
  const unit = metric.unit ? [el("span", { class: "unit" }, "\u202f" + metric.unit)] : [];
  const box = el(
    "div",
    { class: "readout", "data-kind": metric.kind },
    el("dt", {}, el("span", {}, metricName(metric)), age),
    el("dd", {}, value, ...unit),
  );
  return { metric, box, value, age };
}

function showCharts() {
  if (!fleet.ready) return;
  const device = fleet.devices.get(about.id);
  for (const { metric, chart } of charts) {
    if (!metric) continue;
    const devices = [{ id: about.id, label: device ? shownName(device) : about.id, slot: 0 }];
    chart.show({
      metric,
      devices,
      range_ms: range.range_ms,
      expectedInterval_s: deviceType.expected_interval_s,
    });
    chart.load();
  }
}

function drawValues() {
  const device = fleet.devices.get(about.id);
  if (!device) return;
  const now_ms = page.now();
  const limit_ms = silenceLimit(deviceType.expected_interval_s);
  showState(badge, device);
  setText(byId("device-name"), shownName(device));
  setText(byId("since"), stateTitle(device));
  const age =
    device.received_ms === null ? "No reading yet" : "Last reading " + ageText(now_ms - device.received_ms);
  setText(byId("last-reading"), age);
  for (const { metric, box, value, age: ageBox } of readouts) {
    const held = device.values.get(metric.key);
    const stale = held !== undefined && now_ms - held.rank > limit_ms;
    if (setText(value, formatValue(held?.value, metric)))
      box.dataset.flash = box.dataset.flash === "a" ? "b" : "a";
    setAttribute(box, "data-stale", stale ? "" : null);
    setAttribute(box, "title", held ? formatMoment(held.ts_ms) : null);
    setText(ageBox, stale ? ageText(now_ms - held.rank) : "");
  }
}

/** @param {number} age_ms */
function ageText(age_ms) {
  const age = formatAge(Math.max(0, age_ms));
  return age === "now" ? "just now" : age + " ago";
}

async function refresh() {
  asked_ms = page.now();
  const id = encodeURIComponent(about.id);
  await Promise.all([
    fillFrom("/api/v1/devices/" + id + "/", "device-message", showClock),
    fillFrom("/api/v1/devices/" + id + "/ledger/", "ledger-message", showLedger),
    fillFrom("/api/v1/rejections/?page_size=10&device=" + id, "rejections-message", showRejections),
  ]);
}

/**
 * @param {string} path
 * @param {string} message id of where an error is said
 * @param {(answer: any) => void} show
 */
async function fillFrom(path, message, show) {
  try {
    show(await getJson(path));
  } catch (error) {
    setText(byId(message), error instanceof Error ? error.message : String(error));
  }
}

/** @param {{clock_skew_ms: number | null}} device */
function showClock({ clock_skew_ms }) {
  setText(byId("clock"), clockText(clock_skew_ms));
}

/** @param {Record<string, any>} ledger */
function showLedger(ledger) {
  setText(byId("ledger-message"), "");
  for (const cell of document.querySelectorAll("[data-ledger]")) {
    const count = ledger[/** @type {HTMLElement} */ (cell).dataset.ledger ?? ""];
    setText(cell, countText(count));
  }
  for (const cell of document.querySelectorAll("[data-hub-wide]"))
    setText(cell, countText(ledger.hub_wide[/** @type {HTMLElement} */ (cell).dataset.hubWide ?? ""]));
}

/** @param {unknown} count */
function countText(count) {
  return typeof count === "number" ? formatNumber(count, 0) : NOTHING;
}

/** @param {{results: import("../rejections.js").Rejection[]}} answer */
function showRejections({ results }) {
  const text = results.length === 0 ? "Nothing that this device sent was rejected." : "";
  setText(byId("rejections-message"), text);
  byId("rejections-box").hidden = results.length === 0;
  showRejectionRows(byId("rejections"), results, false);
}

byId("state").replaceChildren(badge);
byId("readouts").replaceChildren(...readouts.map(({ box }) => box));
for (const { chart } of charts) chart.start();
replayOnClick(byId("rejections"), byId("rejections-message"), refresh);
page.loop.onTick(() => {
  for (const { chart } of charts) chart.tick();
  if (page.now() - asked_ms > REFRESH_EVERY_MS) refresh();
});
page.loop.onFrame((frame_ms) => {
  drawValues();
  for (const { chart } of charts) chart.draw(frame_ms);
});
page.start();
refresh();
