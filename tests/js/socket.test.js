import assert from "node:assert/strict";
import test from "node:test";
import { Link, retryDelay } from "../../dashboard/static/dashboard/socket.js";

class FakeSocket {
  /** @type {FakeSocket[]} */
  static made = [];
  constructor() {
    this.readyState = 0;
    this.sent = [];
    this.closed = false;
    FakeSocket.made.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  hear(message) {
    this.readyState = 1;
    this.onmessage({ data: JSON.stringify(message) });
  }
}

/** @param {import("node:test").TestContext} t */
function started(t) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
  FakeSocket.made = [];
  const messages = [];
  const phases = [];
  const link = new Link("ws://hub/ws/live/", {
    onMessage: (message) => messages.push(message),
    onChange: () => phases.push(link.phase),
    WebSocketClass: FakeSocket,
    random: () => 0.5,
  });
  // In steps, because within one the mocked clock stands at its end.
  const tick = (ms) => {
    for (let passed = 0; passed < ms; passed += 250) t.mock.timers.tick(250);
  };
  link.start();
  t.after(() => link.stop());
  return {
    link,
    messages,
    phases,
    tick,
    newest: () => FakeSocket.made.at(-1),
  };
}

test("delays double up to a bound and take anything below it", () => {
  assert.equal(
    retryDelay(0, () => 1),
    500,
  );
  assert.equal(
    retryDelay(3, () => 1),
    4_000,
  );
  assert.equal(
    retryDelay(40, () => 1),
    30_000,
  );
  assert.equal(
    retryDelay(5, () => 0),
    0,
  );
});

test("the first message opens the link", (t) => {
  const { link, messages, newest } = started(t);
  assert.equal(link.phase, "connecting");
  newest().hear({ type: "welcome" });
  assert.equal(link.phase, "open");
  assert.deepEqual(messages, [{ type: "welcome" }]);
});

test("a link that closes comes back by itself", (t) => {
  const { link, newest, tick } = started(t);
  newest().hear({ type: "welcome" });
  newest().onclose({ code: 1006 });
  assert.equal(link.phase, "waiting");
  tick(250);
  assert.equal(link.phase, "connecting");
  assert.equal(FakeSocket.made.length, 2);
  newest().hear({ type: "welcome" });
  assert.equal(link.phase, "open");
});

test("a quiet link is asked once before it is given up", (t) => {
  const { link, newest, tick } = started(t);
  newest().hear({ type: "welcome" });
  const socket = newest();
  tick(7_000);
  assert.deepEqual(
    socket.sent.map(({ type }) => type),
    ["ping"],
  );
  tick(2_000);
  assert.equal(socket.sent.length, 1);
  assert.equal(link.phase, "open");
});

test("a link that only looks open is found out and replaced", (t) => {
  const { phases, newest, tick } = started(t);
  newest().hear({ type: "welcome" });
  const frozen = newest();
  tick(12_000);
  assert.ok(frozen.closed);
  assert.ok(phases.includes("waiting"));
  assert.equal(FakeSocket.made.length, 2);
});

test("any word keeps the link", (t) => {
  const { link, newest, tick } = started(t);
  newest().hear({ type: "welcome" });
  for (let i = 0; i < 5; i += 1) {
    tick(9_000);
    newest().hear({ type: "heartbeat" });
  }
  assert.equal(link.phase, "open");
  assert.equal(FakeSocket.made.length, 1);
});

test("an attempt that hangs is given up, but gets its time even after a long break", (t) => {
  const { newest, tick } = started(t);
  newest().hear({ type: "welcome" });
  newest().onclose({ code: 1006 });
  tick(60_000);
  const before = FakeSocket.made.length;
  tick(9_000);
  assert.ok(FakeSocket.made.length - before <= 1);
});

test("who is not let in does not try again", (t) => {
  const { link, newest, tick } = started(t);
  newest().onclose({ code: 4001 });
  assert.equal(link.phase, "refused");
  assert.match(link.refusal, /Sign in again/);
  tick(120_000);
  assert.equal(FakeSocket.made.length, 1);
});

test("when the network is back nobody waits", (t) => {
  const { link, newest } = started(t);
  newest().hear({ type: "welcome" });
  newest().onclose({ code: 1006 });
  link.hurry();
  assert.equal(link.phase, "connecting");
  assert.equal(FakeSocket.made.length, 2);
});

test("an old socket that speaks after its time is not heard", (t) => {
  const { messages, newest, tick } = started(t);
  const old = newest();
  old.hear({ type: "welcome" });
  old.onclose({ code: 1006 });
  tick(500);
  assert.equal(old.onmessage, null);
  assert.equal(messages.length, 1);
});
