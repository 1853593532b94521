import assert from "node:assert/strict";
import test from "node:test";
import { reasonText, replayText } from "../../dashboard/static/dashboard/rejections.js";

const replay = (changes = {}) => ({
  outcome: null,
  stored: 0,
  updated: 0,
  duplicate: 0,
  rejected: 0,
  reason: null,
  ...changes,
});

test("a reason is told in plain words, also one that this page does not know yet", () => {
  assert.equal(reasonText("rate_limited"), "Too many messages in a short time");
  assert.equal(reasonText("brand_new"), "brand new");
});

test("nothing is said of a replay that nobody asked for", () => {
  assert.equal(replayText(null), "");
});

test("a replay waits for the bridge", () => {
  assert.equal(replayText(replay()), "Waiting to be taken\u2026");
});

test("a replay tells how many readings became what", () => {
  assert.equal(replayText(replay({ outcome: "stored", stored: 1 })), "Taken again: 1 stored");
  const mixed = replay({ outcome: "stored", stored: 2, duplicate: 1, rejected: 3, reason: "no_values" });
  const text = "Taken again: 2 stored, 1 duplicate, 3 rejected. The reading holds no value";
  assert.equal(replayText(mixed), text);
});

test("a value refused in a reading that was there says why", () => {
  const refused = replay({ outcome: "duplicate", duplicate: 1, reason: "unknown_metric" });
  assert.equal(replayText(refused), "Taken again: 1 duplicate. The type has no such metric");
});

test("a replay without a reading is told by its outcome", () => {
  assert.equal(replayText(replay({ outcome: "rejected" })), "Taken again: rejected");
});
