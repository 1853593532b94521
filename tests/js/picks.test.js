import assert from "node:assert/strict";
import test from "node:test";
import { assignSlots, wantedDevices } from "../../dashboard/static/dashboard/picks.js";

test("devices get lines in order", () => {
  assert.deepEqual(
    [...assignSlots(["a", "b"], new Map(), 3)],
    [
      ["a", 0],
      ["b", 1],
    ],
  );
});

test("who stays keeps the line, and a new one takes the free one", () => {
  const before = new Map([
    ["a", 0],
    ["b", 1],
    ["c", 2],
  ]);
  assert.deepEqual(
    [...assignSlots(["b", "c", "d"], before, 3)],
    [
      ["b", 1],
      ["c", 2],
      ["d", 0],
    ],
  );
});

test("no more lines than there are", () => {
  assert.equal(assignSlots(["a", "b", "c"], new Map(), 2).size, 2);
});

test("without a choice the first few are shown", () => {
  assert.deepEqual(wantedDevices([], ["a", "b", "c"], 2), ["a", "b"]);
});

test("a choice holds as long as its devices exist", () => {
  assert.deepEqual(wantedDevices(["c", "gone"], ["a", "b", "c"], 2), ["c"]);
  assert.deepEqual(wantedDevices(["gone"], ["a", "b", "c"], 2), ["a", "b"]);
});
