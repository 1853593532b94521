import assert from "node:assert/strict";
import test from "node:test";
import { Streams } from "../../dashboard/static/dashboard/streams.js";

/** @param {import("node:test").TestContext} t */
function opened(t) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  const sent = [];
  const streams = new Streams((message) => sent.push(message));
  return {
    streams,
    sent,
    tick: (ms) => t.mock.timers.tick(ms),
    welcome: () => streams.receive({ type: "welcome" }),
  };
}

const frame = (number, cursor = "c" + number) => ({
  type: "readings",
  stream: "s",
  frame: number,
  cursor,
  metrics: [],
  rows: [],
  merged: 0,
});

test("a subscription waits for the welcome", (t) => {
  const { streams, sent, welcome } = opened(t);
  streams.subscribe("s", { device_type: "pump" }, () => {});
  assert.deepEqual(sent, []);
  welcome();
  assert.deepEqual(sent, [{ type: "subscribe", stream: "s", device_type: "pump" }]);
});

test("messages reach the handler of their stream only", (t) => {
  const { streams, welcome } = opened(t);
  const heard = [];
  streams.subscribe("s", {}, (message) => heard.push(message.frame));
  streams.subscribe("other", {}, () => assert.fail("not for this stream"));
  welcome();
  streams.receive(frame(1));
  streams.receive({ ...frame(2), stream: "nobody" });
  assert.deepEqual(heard, [1]);
});

test("the first frame is acknowledged at once, the next ones together", (t) => {
  const { streams, sent, welcome, tick } = opened(t);
  streams.subscribe("s", {}, () => {});
  welcome();
  sent.length = 0;
  for (const number of [1, 2, 3, 4]) streams.receive(frame(number));
  assert.deepEqual(sent, [{ type: "ack", stream: "s", frame: 1 }]);
  tick(110);
  assert.deepEqual(sent.slice(1), [{ type: "ack", stream: "s", frame: 4 }]);
  tick(1000);
  assert.equal(sent.length, 2);
});

test("there are never more than ten acknowledgements a second", (t) => {
  const { streams, sent, welcome, tick } = opened(t);
  streams.subscribe("s", {}, () => {});
  welcome();
  sent.length = 0;
  for (let number = 1; number <= 200; number += 1) {
    streams.receive(frame(number));
    tick(5);
  }
  assert.ok(sent.length <= 10, sent.length + " acknowledgements");
});

test("after a break a stream goes on from its cursor, with frames counted anew", (t) => {
  const { streams, sent, welcome, tick } = opened(t);
  streams.subscribe("s", { device_type: "pump" }, () => {});
  welcome();
  streams.receive(frame(7, "far"));
  streams.interrupted();
  sent.length = 0;
  welcome();
  assert.deepEqual(sent, [{ type: "subscribe", stream: "s", device_type: "pump", resume: "far" }]);
  tick(500);
  streams.receive(frame(1));
  assert.deepEqual(sent.at(-1), { type: "ack", stream: "s", frame: 1 });
});

test("a heartbeat moves cursors of streams that have nothing to say", (t) => {
  const { streams, sent, welcome } = opened(t);
  streams.subscribe("s", {}, () => {});
  welcome();
  streams.receive({
    type: "heartbeat",
    server_time_ms: 1,
    layer: "up",
    bridges: [],
    cursors: { s: "h", x: "y" },
  });
  streams.interrupted();
  welcome();
  assert.equal(sent.at(-1).resume, "h");
});

test("a cursor counts only when the whole snapshot is in", (t) => {
  const { streams, sent, welcome } = opened(t);
  streams.subscribe("s", {}, () => {});
  welcome();
  streams.receive({ type: "snapshot", stream: "s", part: 1, parts: 2, cursor: "half", devices: [] });
  streams.interrupted();
  welcome();
  assert.equal("resume" in sent.at(-1), false);
  streams.receive({ type: "snapshot", stream: "s", part: 2, parts: 2, cursor: "whole", devices: [] });
  streams.interrupted();
  welcome();
  assert.equal(sent.at(-1).resume, "whole");
});

test("after a reset nothing is resumed from before it", (t) => {
  const { streams, sent, welcome } = opened(t);
  streams.subscribe("s", {}, () => {});
  welcome();
  streams.receive(frame(1));
  streams.receive({ type: "reset", stream: "s", reason: "too_old", missed: 3 });
  streams.interrupted();
  welcome();
  assert.equal("resume" in sent.at(-1), false);
});

test("a frame that its handler cannot take moves no cursor", (t) => {
  const { streams, sent, welcome } = opened(t);
  streams.subscribe("s", {}, () => {
    throw new Error("broken");
  });
  welcome();
  assert.throws(() => streams.receive(frame(1)), /broken/);
  streams.interrupted();
  welcome();
  assert.equal("resume" in sent.at(-1), false);
});
