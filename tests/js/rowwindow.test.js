import assert from "node:assert/strict";
import test from "node:test";
import { ALL_UP_TO, rowWindow } from "../../dashboard/static/dashboard/rowwindow.js";

const view = (changes) => ({ count: 10_000, above_px: 0, view_px: 900, row_px: 36, ...changes });

test("of a short table every row exists", () => {
  assert.deepEqual(rowWindow(view({ count: ALL_UP_TO, above_px: 3000 })), { from: 0, to: ALL_UP_TO });
  assert.deepEqual(rowWindow(view({ count: 0 })), { from: 0, to: 0 });
});

test("of a long table the rows in sight exist, and some around them", () => {
  for (const above_px of [0, 17, 36, 5_000, 123_456, 359_100]) {
    const { from, to } = rowWindow(view({ above_px }));
    assert.ok(from <= above_px / 36, "the first in sight exists at " + above_px);
    assert.ok(to >= Math.min(10_000, (above_px + 900) / 36), "the last in sight exists at " + above_px);
    assert.ok(to - from < 100, "few exist");
  }
});

test("a table below the fold begins with its first rows", () => {
  assert.equal(rowWindow(view({ above_px: -2_000 })).from, 0);
});

test("beyond the end the last rows exist", () => {
  const { from, to } = rowWindow(view({ above_px: 10_000_000 }));
  assert.equal(to, 10_000);
  assert.ok(from < to);
});

test("before a row was measured the window is bounded all the same", () => {
  const { from, to } = rowWindow(view({ row_px: 0 }));
  assert.ok(to - from < 200);
});

test("a small scroll leaves the window as it is", () => {
  assert.deepEqual(rowWindow(view({ above_px: 3_600 })), rowWindow(view({ above_px: 3_610 })));
});
