/** Which rows of a long table exist: those in sight and some around them. Pure. */

/** Up to so many devices every row exists, so that the browser's own search finds all of them. */
export const ALL_UP_TO = 200;

/** Rows beyond the edges of the view, so that a scroll or a Tab finds them there. */
const AROUND = 24;

/** The window moves in steps, so that not every scrolled row makes and removes one. */
const STEP = 8;

/**
 * @param {object} view
 * @param {number} view.count of all rows
 * @param {number} view.above_px how much of the rows lies above the view's upper edge
 * @param {number} view.view_px height of the view
 * @param {number} view.row_px height of a row; 0 before the first is laid out
 * @returns {{from: number, to: number}} rows `from <= index < to` exist
 */
export function rowWindow({ count, above_px, view_px, row_px }) {
  if (count <= ALL_UP_TO) return { from: 0, to: count };
  const height_px = Math.max(row_px, 16);
  const first = Math.floor(Math.max(0, above_px) / height_px / STEP) * STEP;
  const shown = Math.ceil(view_px / height_px) + STEP;
  const to = Math.min(count, first + shown + AROUND);
  return { from: Math.max(0, Math.min(first, to) - AROUND), to };
}
