/** The list of what was refused, and why. */

import { getJson } from "../api.js";
import { byId, el, fromAddress, keepInAddress, setText } from "../dom.js";
import { Page } from "../page.js";
import { replayOnClick, showRejectionRows } from "../rejections.js";

/** @typedef {{results: import("../rejections.js").Rejection[]}} Answer */

/** The list is asked for again so often while it is seen. */
const REFRESH_EVERY_MS = 10_000;

const page = new Page();
const field = /** @type {HTMLInputElement} */ (byId("device"));
let asked_ms = 0;

async function refresh() {
  asked_ms = Date.now();
  const device = field.value.trim();
  const query = new URLSearchParams({ page_size: "50", ...(device ? { device } : {}) });
  try {
    show(await getJson("/api/v1/rejections/?" + query));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    byId("message").replaceChildren(
      text + " ",
      el("button", { type: "button", class: "button" }, "Try again"),
    );
  }
}

/** @param {Answer} answer */
function show({ results }) {
  const device = field.value.trim();
  const of = device ? " from " + device : "";
  setText(byId("message"), results.length === 0 ? "Nothing" + of + " was rejected." : "");
  byId("box").hidden = results.length === 0;
  showRejectionRows(byId("rows"), results, true);
}

field.value = fromAddress("device");
byId("filter").addEventListener("submit", (event) => {
  event.preventDefault();
  keepInAddress({ device: field.value.trim() });
  refresh();
});
byId("message").addEventListener("click", (event) => {
  if (event.target instanceof HTMLButtonElement) refresh();
});
replayOnClick(byId("rows"), byId("message"), refresh);
page.loop.onTick(() => {
  if (Date.now() - asked_ms > REFRESH_EVERY_MS) refresh();
});
page.start();
refresh();
