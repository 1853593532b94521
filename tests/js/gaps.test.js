import assert from "node:assert/strict";
import test from "node:test";
import { align, reach } from "../../dashboard/static/dashboard/gaps.js";
import { Series } from "../../dashboard/static/dashboard/series.js";

const LIMIT_MS = 10_000;

/** @param {[number, number][]} points seconds and value */
function series(points) {
  const made = new Series();
  for (const [seconds, value] of points) made.push(seconds * 1000, value);
  return made;
}

test("a series without silence is drawn as it is", () => {
  const aligned = align(
    [
      series([
        [0, 1],
        [5, 2],
        [10, 3],
      ]),
    ],
    LIMIT_MS,
  );
  assert.deepEqual(aligned.xs, [0, 5, 10]);
  assert.deepEqual(aligned.value, [[1, 2, 3]]);
  assert.deepEqual(aligned.dots, [[]]);
});

test("silence is a null between the readings around it", () => {
  const aligned = align(
    [
      series([
        [0, 1],
        [5, 2],
        [60, 3],
        [65, 4],
      ]),
    ],
    LIMIT_MS,
  );
  assert.deepEqual(aligned.xs, [0, 5, 10, 60, 65]);
  assert.deepEqual(aligned.value, [[1, 2, null, 3, 4]]);
});

test("exactly the limit is not silence yet", () => {
  const aligned = align(
    [
      series([
        [0, 1],
        [10, 2],
      ]),
    ],
    LIMIT_MS,
  );
  assert.deepEqual(aligned.value, [[1, 2]]);
});

test("where only another series has a point the line goes on", () => {
  const aligned = align(
    [
      series([
        [0, 1],
        [10, 3],
      ]),
      series([[5, 7]]),
    ],
    LIMIT_MS,
  );
  assert.deepEqual(aligned.xs, [0, 5, 10]);
  assert.deepEqual(aligned.value, [
    [1, undefined, 3],
    [undefined, 7, undefined],
  ]);
});

test("a silence is null at all places of the others, or the line would show between them", () => {
  const silent = series([
    [0, 1],
    [60, 2],
  ]);
  const chatty = series([
    [20, 7],
    [25, 7],
    [30, 7],
    [35, 7],
  ]);
  const { xs, value } = align([silent, chatty], LIMIT_MS);
  xs.forEach((x, i) => {
    if (x > 0 && x < 60) assert.equal(value[0][i], null, "at " + x);
  });
  assert.deepEqual(
    value[1].filter((v) => typeof v === "number"),
    [7, 7, 7, 7],
  );
});

test("a reading alone in silence becomes a dot", () => {
  const { xs, dots } = align(
    [
      series([
        [0, 1],
        [60, 2],
        [120, 3],
        [125, 4],
      ]),
    ],
    LIMIT_MS,
  );
  assert.deepEqual(
    dots[0].map((i) => xs[i]),
    [0, 60],
  );
});

test("a type without an expected interval has no silence", () => {
  const aligned = align(
    [
      series([
        [0, 1],
        [86_400, 2],
      ]),
    ],
    Number.POSITIVE_INFINITY,
  );
  assert.deepEqual(aligned.value, [[1, 2]]);
});

test("neighbouring buckets are joined however wide they are", () => {
  assert.equal(reach(LIMIT_MS, 60_000), 90_000);
  assert.equal(reach(LIMIT_MS, 1_000), LIMIT_MS);
  assert.equal(reach(LIMIT_MS, null), LIMIT_MS);
});

test("times are ascending and unique whatever the series", () => {
  const { xs } = align(
    [
      series([
        [0, 1],
        [60, 2],
      ]),
      series([
        [5, 1],
        [60, 2],
      ]),
      series([]),
    ],
    LIMIT_MS,
  );
  assert.deepEqual(
    xs,
    [...new Set(xs)].sort((a, b) => a - b),
  );
});

test("nothing is nothing", () => {
  assert.deepEqual(align([], LIMIT_MS), { xs: [], value: [], low: [], high: [], dots: [] });
});
