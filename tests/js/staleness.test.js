import assert from "node:assert/strict";
import test from "node:test";
import { judgeLink, silenceLimit } from "../../dashboard/static/dashboard/staleness.js";

const NOW = 1_800_000_000_000;

const bridge = (changes = {}) => ({
  slot: "main",
  source: "main-1",
  heard_ms: NOW - 500,
  receiving: true,
  receiving_since_ms: NOW - 60_000,
  storing: true,
  storing_since_ms: NOW - 60_000,
  lag_ms: 3,
  ...changes,
});

const heartbeat = (bridges, layer = "up") => ({ type: "heartbeat", server_time_ms: NOW, layer, bridges });

/** @param {object} changes */
function judge(changes = {}) {
  return judgeLink({
    phase: "open",
    everOpen: true,
    silent_ms: 100,
    downSince_ms: null,
    refusal: "",
    heartbeat: heartbeat([bridge()]),
    now_ms: NOW,
    ...changes,
  });
}

test("everything in order is live", () => {
  const { level, stale, label } = judge();
  assert.deepEqual({ level, stale, label }, { level: "live", stale: false, label: "Live" });
});

test("before the first heartbeat nothing is claimed but the connection", () => {
  assert.equal(judge({ heartbeat: null }).label, "Connected");
});

test("the first connecting is no alarm", () => {
  const { level, stale } = judge({ phase: "connecting", everOpen: false, heartbeat: null });
  assert.deepEqual({ level, stale }, { level: "connecting", stale: false });
});

test("a first attempt that failed is a link that is down", () => {
  assert.equal(judge({ phase: "waiting", everOpen: false, heartbeat: null }).level, "link");
});

test("a closed socket is your link, whatever the last heartbeat said", () => {
  for (const phase of ["waiting", "connecting"]) {
    const { level, stale, label } = judge({ phase, downSince_ms: NOW - 3000 });
    assert.equal(level, "link");
    assert.ok(stale);
    assert.match(label, /^Your link is down . reconnecting$/);
  }
});

test("an open socket without a word for two heartbeats is down too", () => {
  assert.equal(judge({ silent_ms: 10_000 }).level, "live");
  assert.equal(judge({ silent_ms: 10_001 }).level, "link");
});

test("a hub that does not receive says since when", () => {
  const { level, stale, label, since_ms } = judge({
    heartbeat: heartbeat([bridge({ receiving: false, receiving_since_ms: NOW - 30_000 })]),
  });
  assert.equal(level, "receiving");
  assert.ok(stale);
  assert.equal(since_ms, NOW - 30_000);
  assert.match(label, /^Hub not receiving since \d/);
});

test("without any bridge nothing is received", () => {
  assert.equal(judge({ heartbeat: heartbeat([]) }).label, "Hub not receiving");
});

test("a bridge that was not heard of does not receive, whatever it said last", () => {
  const { level, since_ms } = judge({ heartbeat: heartbeat([bridge({ heard_ms: NOW - 7_000 })]) });
  assert.equal(level, "receiving");
  assert.equal(since_ms, NOW - 7_000);
});

test("a hub that does not store is told apart", () => {
  const { level, label } = judge({
    heartbeat: heartbeat([bridge({ storing: false, storing_since_ms: NOW })]),
  });
  assert.equal(level, "storing");
  assert.match(label, /^Hub not storing since \d/);
});

test("of several bridges the one that fails longest is named", () => {
  const { detail, since_ms } = judge({
    heartbeat: heartbeat([
      bridge(),
      bridge({ slot: "east", receiving: false, receiving_since_ms: NOW - 10_000 }),
      bridge({ slot: "west", receiving: false, receiving_since_ms: NOW - 90_000 }),
    ]),
  });
  assert.equal(since_ms, NOW - 90_000);
  assert.match(detail, /bridge west/);
});

test("with the live channel down values are late, not stale", () => {
  const { level, stale, label } = judge({ heartbeat: heartbeat([bridge()], "down") });
  assert.deepEqual({ level, stale }, { level: "layer", stale: false });
  assert.equal(label, "Live channel down, updating once a second");
});

test("who was signed out is told so", () => {
  const { level, detail } = judge({ phase: "refused", refusal: "Sign in again." });
  assert.deepEqual({ level, detail }, { level: "refused", detail: "Sign in again." });
});

test("a device is silent after two and a half intervals, never before ten seconds", () => {
  assert.equal(silenceLimit(1), 10_000);
  assert.equal(silenceLimit(60), 150_000);
  assert.equal(silenceLimit(null), Number.POSITIVE_INFINITY);
});
