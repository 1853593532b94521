import assert from "node:assert/strict";
import test from "node:test";
import { lowerBound, Series } from "../../dashboard/static/dashboard/series.js";

const raw = (ts, value) => ({
  from_ms: 0,
  to_ms: 1e6,
  resolution: "raw",
  bucket_ms: null,
  ts,
  metrics: { t: { value } },
});

const bucketed = (ts, mean) => ({
  from_ms: 0,
  to_ms: 1e6,
  resolution: "1m",
  bucket_ms: 60_000,
  ts,
  metrics: {
    t: {
      mean,
      min: mean.map((v) => v - 1),
      max: mean.map((v) => v + 1),
      last: mean,
      count: mean.map(() => 9),
    },
  },
});

test("readings in order are kept in order", () => {
  const series = new Series();
  series.push(1, 10);
  series.push(2, 20);
  assert.deepEqual(series.ts, [1, 2]);
  assert.deepEqual(series.value, [10, 20]);
});

test("a late reading finds its place", () => {
  const series = new Series();
  for (const ts of [1, 3, 2]) series.push(ts, ts * 10);
  assert.deepEqual(series.ts, [1, 2, 3]);
  assert.deepEqual(series.value, [10, 20, 30]);
  assert.deepEqual(series.low, series.value);
});

test("a reading that comes twice is one point", () => {
  const series = new Series();
  series.push(1, 10);
  series.push(1, 10);
  assert.equal(series.ts.length, 1);
  assert.equal(series.numLive, 1);
});

test("history and what came live meanwhile are one series", () => {
  const series = new Series();
  series.push(30, 3);
  series.push(40, 4);
  series.setHistory(raw([10, 20, 30], [1, 2, 3]), "t");
  assert.deepEqual(series.ts, [10, 20, 30, 40]);
  assert.deepEqual(series.value, [1, 2, 3, 4]);
});

test("readings of history without this metric are no points", () => {
  const series = new Series();
  series.setHistory(raw([10, 20, 30], [1, null, 3]), "t");
  assert.deepEqual(series.ts, [10, 30]);
});

test("a bucket stands at its middle and keeps its smallest and largest value", () => {
  const series = new Series();
  series.setHistory(bucketed([0, 60_000], [5, 6]), "t");
  assert.deepEqual(series.ts, [30_000, 90_000]);
  assert.deepEqual(series.low, [4, 5]);
  assert.deepEqual(series.high, [6, 7]);
  assert.equal(series.bucket_ms, 60_000);
});

test("what a bucket covers is not drawn a second time", () => {
  const series = new Series();
  series.push(100_000, 9);
  series.push(130_000, 9);
  series.setHistory(bucketed([0, 60_000], [5, 6]), "t");
  assert.deepEqual(series.ts, [30_000, 90_000, 130_000]);
});

test("an answer without the metric empties the window", () => {
  const series = new Series();
  series.setHistory(raw([10], [1]), "other");
  assert.deepEqual(series.ts, []);
});

test("points before the window are forgotten", () => {
  const series = new Series();
  for (let ts = 0; ts < 1000; ts += 1) series.push(ts, ts);
  series.trim(600);
  assert.equal(series.ts[0], 600);
  assert.equal(series.value.length, 400);
});

test("the nearest point is found on either side, but not beyond reach", () => {
  const series = new Series();
  series.push(100, 1);
  series.push(200, 2);
  assert.deepEqual(series.nearest(140, 50), { ts_ms: 100, value: 1 });
  assert.deepEqual(series.nearest(160, 50), { ts_ms: 200, value: 2 });
  assert.equal(series.nearest(300, 50), null);
  assert.equal(new Series().nearest(1, 1000), null);
});

test("the lower bound is the first place not below", () => {
  assert.equal(lowerBound([], 1), 0);
  assert.equal(lowerBound([1, 3, 5], 0), 0);
  assert.equal(lowerBound([1, 3, 5], 3), 1);
  assert.equal(lowerBound([1, 3, 5], 4), 2);
  assert.equal(lowerBound([1, 3, 5], 6), 3);
});
