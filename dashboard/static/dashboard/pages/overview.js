/** The overview: a tile per device type, worst news first. */

import { getJson } from "../api.js";
import { byId, setAttribute, setText } from "../dom.js";
import { counted, formatNumber, formatRate } from "../format.js";
import { Page } from "../page.js";
import { drawSpark, extend, keepTracks, keptTracks, sparkline } from "../sparkline.js";
import { STATE_WORDS, STATES } from "../states.js";

/** @typedef {import("../types.js").TypeSummary} TypeSummary */
/** @typedef {{element: HTMLElement, parts: Record<string, HTMLElement>, spark: ReturnType<typeof sparkline>}} Tile */

/** Tiles change places at most so often, and never under somebody's hand. */
const SORT_EVERY_MS = 5_000;

const page = new Page();
const grid = byId("tiles");
const template = /** @type {HTMLTemplateElement} */ (byId("tile-template"));
const tracks = keptTracks();
/** @type {Map<string, Tile>} */
const tiles = new Map();
/** @type {TypeSummary[]} */
let summaries = [];
let asking = false;
let sorted_ms = 0;

/** @param {HTMLElement} element @returns {Tile} */
function tileOf(element) {
  /** @type {Record<string, HTMLElement>} */
  const parts = {};
  for (const part of element.querySelectorAll("[data-part]")) {
    if (part instanceof HTMLElement && part.dataset.part) parts[part.dataset.part] = part;
  }
  const spark = sparkline();
  parts.spark?.replaceChildren(spark.element);
  return { element, parts, spark };
}

/** @param {string} slug @param {string} name */
function addTile(slug, name) {
  const element = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  const tile = tileOf(element);
  element.dataset.slug = slug;
  if (tile.parts.name) setText(tile.parts.name, name);
  if (tile.parts.link) setAttribute(tile.parts.link, "href", "/types/" + encodeURIComponent(slug) + "/");
  tiles.set(slug, tile);
  grid.append(element);
  byId("empty").hidden = true;
  grid.hidden = false;
}

/** Types that this page does not know yet: ask for their names. */
async function learnTypes() {
  if (asking) return;
  asking = true;
  try {
    const { results } = await getJson("/api/v1/device-types/?page_size=1000");
    for (const { slug, name } of results) if (!tiles.has(slug)) addTile(slug, name || slug);
  } catch (error) {
    console.warn("The names of new device types could not be read.", error);
  }
  // A type that stays unknown is asked for again, but not every second.
  setTimeout(() => {
    asking = false;
  }, 10_000);
  page.request();
}

/** @param {TypeSummary} summary */
const total = (summary) => summary.online + summary.silent + summary.offline + summary.never;

/** Higher is worse: first the share of devices that is offline, then silent. @param {TypeSummary} summary */
function badness(summary) {
  const devices = total(summary) || 1;
  return (2 * summary.offline + summary.silent) / devices;
}

/** @param {TypeSummary} summary */
function news(summary) {
  const devices = total(summary);
  if (devices === 0) return "No devices yet";
  const bad = [];
  if (summary.offline) bad.push(formatNumber(summary.offline, 0) + " offline");
  if (summary.silent) bad.push(formatNumber(summary.silent, 0) + " silent");
  if (bad.length > 0) return bad.join(", ") + " of " + counted(devices, "device");
  if (summary.online === 0) return "None of " + counted(devices, "device") + " heard yet";
  return summary.online === devices
    ? "All " + counted(devices, "device") + " online"
    : counted(devices, "device");
}

/** @param {Tile} tile @param {TypeSummary} summary */
function fill({ element, parts, spark }, summary) {
  const bad = summary.offline ? "offline" : summary.silent ? "silent" : summary.online ? "online" : "never";
  setAttribute(element, "data-worst", bad);
  if (parts.news) setText(parts.news, news(summary));
  if (parts.rate) setText(parts.rate, formatRate(summary.readings_per_s));
  for (const state of STATES) {
    const count = parts[state];
    const segment = parts["bar-" + state];
    if (count) setText(count, formatNumber(summary[state], 0));
    if (count?.parentElement) setAttribute(count.parentElement, "data-zero", summary[state] ? null : "");
    if (segment) fillSegment(segment, summary[state]);
  }
  const track = tracks[summary.slug];
  if (track) drawSpark(spark, track, page.now());
}

/**
 * A part of the bar as wide as its count; without any it is not there, or its gap would be.
 * @param {HTMLElement} segment
 * @param {number} count
 */
function fillSegment(segment, count) {
  segment.hidden = count === 0;
  if (segment.style.flexGrow !== String(count)) segment.style.flexGrow = String(count);
}

function fillTotals() {
  const sum = { online: 0, silent: 0, offline: 0, never: 0 };
  let rate = 0;
  for (const summary of summaries) {
    for (const state of STATES) sum[state] += summary[state];
    rate += summary.readings_per_s;
  }
  const devices = sum.online + sum.silent + sum.offline + sum.never;
  const parts = STATES.filter((state) => sum[state] > 0).map(
    (state) => formatNumber(sum[state], 0) + " " + STATE_WORDS[state],
  );
  setText(byId("total-devices"), [counted(devices, "device"), ...parts].join(" \u00b7 "));
  setText(byId("total-rate"), formatRate(rate) + " readings/s");
}

/** Worst first. Moving a tile would take it from under a pointer or the keyboard's focus. */
function sortTiles() {
  if (page.now() - sorted_ms < SORT_EVERY_MS || grid.matches(":hover, :focus-within")) return;
  sorted_ms = page.now();
  const order = [...summaries].sort((a, b) => badness(b) - badness(a) || a.slug.localeCompare(b.slug));
  order.forEach(({ slug }, index) => {
    const element = tiles.get(slug)?.element;
    const there = grid.children[index];
    if (element && there !== element) grid.insertBefore(element, there ?? null);
  });
}

/** @param {import("../types.js").SummaryMessage} message */
function take(message) {
  summaries = message.types;
  for (const summary of summaries) {
    const track = tracks[summary.slug] ?? { ts: [], value: [] };
    tracks[summary.slug] = track;
    extend(track, page.now(), summary.readings_per_s);
  }
  const listed = new Set(summaries.map(({ slug }) => slug));
  for (const [slug, tile] of tiles) tile.element.hidden = !listed.has(slug);
  if (summaries.some(({ slug }) => !tiles.has(slug))) learnTypes();
  page.request();
}

function draw() {
  if (summaries.length === 0) return;
  for (const summary of summaries) {
    const tile = tiles.get(summary.slug);
    if (tile) fill(tile, summary);
  }
  fillTotals();
  sortTiles();
}

for (const element of grid.querySelectorAll("[data-slug]")) {
  if (element instanceof HTMLElement && element.dataset.slug)
    tiles.set(element.dataset.slug, tileOf(element));
}
page.loop.onFrame(draw);
page.streams.subscribe("summary", { summary: true }, (message) => {
  if (message.type === "summary") take(message);
});
addEventListener("pagehide", () => keepTracks(tracks));
page.start();
