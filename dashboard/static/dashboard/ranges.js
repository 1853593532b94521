/** The buttons that choose how much time charts show. */

import { fromAddress, keepInAddress, setAttribute } from "./dom.js";

/** @type {Record<string, number>} */
const RANGES = { "5m": 300_000, "1h": 3_600_000, "24h": 86_400_000 };
const DEFAULT = "5m";

/**
 * @param {HTMLElement} group buttons with `data-range`
 * @param {() => void} onChange
 * @returns {{range_ms: number}} follows what is chosen; kept in the address
 */
export function rangeButtons(group, onChange) {
  const asked = fromAddress("range");
  let name = asked in RANGES ? asked : DEFAULT;
  const buttons = [...group.querySelectorAll("button")];
  const show = () => {
    for (const button of buttons) setAttribute(button, "aria-pressed", String(button.dataset.range === name));
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      name = button.dataset.range ?? DEFAULT;
      keepInAddress({ range: name === DEFAULT ? "" : name });
      show();
      onChange();
    });
  }
  show();
  return {
    get range_ms() {
      return RANGES[name] ?? 300_000;
    },
  };
}
