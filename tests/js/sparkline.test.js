import assert from "node:assert/strict";
import test from "node:test";
import { extend, SPARK_MS, sparkPath } from "../../dashboard/static/dashboard/sparkline.js";

test("a track keeps five minutes", () => {
  const track = { ts: [], value: [] };
  for (let ms = 1000; ms <= SPARK_MS + 11_000; ms += 1000) extend(track, ms, ms);
  assert.equal(track.ts[0], 11_000);
  assert.equal(track.ts.length, track.value.length);
});

test("a moment that was there already adds nothing", () => {
  const track = { ts: [], value: [] };
  extend(track, 1000, 1);
  extend(track, 1000, 2);
  assert.deepEqual(track, { ts: [1000], value: [1] });
});

test("the line breaks where nothing was heard", () => {
  const track = { ts: [1000, 2000, 60_000, 61_000], value: [1, 1, 1, 1] };
  assert.equal(sparkPath(track, 61_000).replace(/[^ML]/g, ""), "MLML");
});

test("a burst leaves the picture instead of flattening what is usual", () => {
  const track = { ts: [1000, 2000, 3000, 4000], value: [5, 5, 5, 5000] };
  const heights = [...sparkPath(track, 4000).matchAll(/ (-?[\d.]+)/g)].map(([, y]) => Number(y));
  assert.ok(heights[0] < 26, "the usual rate is well above the floor");
  assert.ok(heights[3] < 0, "the burst is above the picture");
});

test("nothing is an empty path", () => {
  assert.equal(sparkPath({ ts: [], value: [] }, 1), "");
});
