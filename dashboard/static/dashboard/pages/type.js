/** The page of a device type: its devices in a live table, and a live chart of one metric. */

import { byId, el, fromAddress, icon, keepInAddress, pageData, setText } from "../dom.js";
import { watchFleet } from "../fleetfeed.js";
import { counted, formatNumber, metricName } from "../format.js";
import { LiveChart, MAX_LINES } from "../livechart.js";
import { Page } from "../page.js";
import { assignSlots, wantedDevices } from "../picks.js";
import { rangeButtons } from "../ranges.js";
import { STATE_WORDS, STATES } from "../states.js";
import { matches, shownName } from "../store.js";
import { DeviceTable } from "../table.js";

/** @typedef {import("../types.js").DeviceType} DeviceType */

/** @type {DeviceType} */
let deviceType = pageData("device-type");
const page = new Page();
const chart = new LiveChart(byId("chart-panel"), page, newest);
const table = new DeviceTable(/** @type {HTMLTableElement} */ (byId("devices")), toggle);
const select = /** @type {HTMLSelectElement} */ (byId("metric"));
const search = /** @type {HTMLInputElement} */ (byId("search"));
const range = rangeButtons(byId("range"), showChart);

/** Chosen by hand; empty: the first few. */
let chosen = fromAddress("devices").split(",").filter(Boolean);
/** @type {Map<string, number>} */
let slots = new Map();

const fleet = watchFleet(
  page,
  { device_type: deviceType.slug },
  {
    onSnapshot: () => {
      takeDeviceType();
      byId("skeleton").hidden = true;
      showDevices();
      pickDevices();
      // Also after a reset: what is in the chart is older than the gap, and history has what was in it.
      showChart();
    },
    onReadings: (ids, message) => {
      table.touch(ids);
      chart.push(message);
    },
    onStates: (ids) => {
      table.touch(ids);
      showCounts();
    },
    onDevices: () => {
      showDevices();
      if (pickDevices()) showChart();
    },
    onDeviceType: () => {
      takeDeviceType();
      showDevices();
      showChart();
    },
    onError: (text) => setText(byId("table-message"), text),
  },
);

/**
 * @param {string} id
 * @param {string} key
 */
function newest(id, key) {
  return fleet.devices.get(id)?.values.get(key)?.value;
}

function numberMetrics() {
  return deviceType.metrics.filter((metric) => metric.kind === "number");
}

/** Columns and choices, if the type is not what the page was made with. */
function takeDeviceType() {
  const now = fleet.deviceType;
  if (!now || JSON.stringify(now) === JSON.stringify(deviceType)) return;
  deviceType = now;
  setText(byId("type-name"), now.name || now.slug);
  setMetrics();
}

function setMetrics() {
  table.setMetrics(deviceType.metrics, deviceType.expected_interval_s);
  const wanted = select.value || fromAddress("metric");
  select.replaceChildren(
    ...numberMetrics().map((metric) => el("option", { value: metric.key }, metricName(metric))),
  );
  if (numberMetrics().some((metric) => metric.key === wanted)) select.value = wanted;
  byId("chart-panel").hidden = numberMetrics().length === 0;
}

function showDevices() {
  const all = fleet.sorted();
  const found = search.value.trim() ? all.filter((device) => matches(device, search.value.trim())) : all;
  table.setDevices(found);
  table.setPicked(slots);
  byId("no-devices").hidden = all.length > 0;
  byId("table-box").hidden = all.length === 0;
  const nothing =
    all.length > 0 && found.length === 0 ? "No device matches \u201c" + search.value.trim() + "\u201d." : "";
  setText(byId("table-message"), nothing);
  showCounts();
  page.request();
}

function showCounts() {
  const counts = fleet.counts();
  const parts = STATES.filter((state) => counts[state] > 0).map((state) => {
    const count = el("span", { class: "state", "data-state": state }, icon(state));
    count.append(formatNumber(counts[state], 0) + " " + STATE_WORDS[state]);
    return count;
  });
  byId("counts").replaceChildren(el("span", {}, counted(fleet.devices.size, "device")), ...parts);
}

/** Give devices their lines; true if there are other devices than before. */
function pickDevices() {
  const before = [...slots.keys()].join();
  const all = fleet.sorted().filter((device) => device.enabled);
  const ids = wantedDevices(
    chosen,
    all.map((device) => device.id),
    MAX_LINES,
  );
  slots = assignSlots(ids, slots, MAX_LINES);
  table.setPicked(slots);
  return [...slots.keys()].join() !== before;
}

/** @param {string} id */
function toggle(id) {
  const now = [...slots.keys()];
  if (!slots.has(id) && now.length >= MAX_LINES) {
    setText(byId("table-message"), "A chart holds " + MAX_LINES + " devices; take one out first.");
    return;
  }
  chosen = slots.has(id) ? now.filter((one) => one !== id) : [...now, id];
  setText(byId("table-message"), "");
  keepInAddress({ devices: chosen.join(",") });
  pickDevices();
  showChart();
}

function showChart() {
  const metric = numberMetrics().find((one) => one.key === select.value) ?? numberMetrics()[0];
  if (!metric || !fleet.ready) return;
  const devices = [...slots].map(([id, slot]) => {
    const device = fleet.devices.get(id);
    return { id, slot, label: device ? shownName(device) : id };
  });
  chart.show({
    metric,
    devices,
    range_ms: range.range_ms,
    expectedInterval_s: deviceType.expected_interval_s,
  });
  chart.load();
}

select.addEventListener("change", () => {
  const first = numberMetrics()[0]?.key;
  keepInAddress({ metric: select.value === first ? "" : select.value });
  showChart();
});
search.addEventListener("input", () => {
  keepInAddress({ q: search.value.trim() });
  showDevices();
});
page.loop.onTick(() => {
  table.tick();
  chart.tick();
});
page.loop.onFrame((frame_ms) => {
  table.draw(page.now());
  chart.draw(frame_ms);
});

search.value = fromAddress("q");
setMetrics();
table.start(() => page.request());
chart.start();
page.start();
