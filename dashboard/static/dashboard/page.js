/** What every page has: the hub's clock, one link, one loop, and the link's state in header, title and icon. */

import { LinkBar } from "./linkbar.js";
import { Loop } from "./loop.js";
import { Link } from "./socket.js";
import { judgeLink } from "./staleness.js";
import { Streams } from "./streams.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./staleness.js").Verdict} Verdict */

export class Page {
  constructor() {
    this.loop = new Loop();
    this.bar = new LinkBar();
    this.link = new Link(liveAddress(), {
      onMessage: (message) => this._receive(message),
      onChange: () => this._linkChanged(),
    });
    this.streams = new Streams((message) => this.link.send(message));
    /** @type {Verdict | null} */
    this.verdict = null;
    /** @type {import("./types.js").Heartbeat | null} */
    this._heartbeat = null;
    this._offset_ms = 0;
    /** @type {number | null} */
    this._down_ms = null;
    /** @type {(() => void)[]} */
    this._interrupted = [];
  }

  start() {
    this.loop.onTick(() => this._judge());
    this.loop.start();
    this.link.start();
    addEventListener("online", () => this.link.hurry());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.link.hurry();
    });
    // Judged by its own timer too: a hidden tab's title and icon tell the state as well.
    setInterval(() => this._judge(), 1000);
    this._judge();
  }

  /** The hub's clock, so that ages are right on a machine whose own clock is not. */
  now() {
    return Date.now() + this._offset_ms;
  }

  request() {
    this.loop.request();
  }

  /** Called when the link breaks. @param {() => void} forget */
  onInterrupted(forget) {
    this._interrupted.push(forget);
  }

  /** @param {Message} message */
  _receive(message) {
    if ("server_time_ms" in message) this._offset_ms = message.server_time_ms - Date.now();
    if (message.type === "heartbeat") this._heartbeat = message;
    if (message.type === "resumed") this.bar.resumed(message.recovered, message.lost);
    if (message.type === "readings") this.bar.merged(message.merged);
    if (message.type === "error") console.warn("The hub says:", message.code, message.detail);
    this.streams.receive(message);
    if (message.type === "heartbeat" || message.type === "welcome") this._judge();
  }

  _linkChanged() {
    if (this.link.phase === "open") {
      this._down_ms = null;
    } else {
      this._heartbeat = null;
      this._down_ms ??= this.link.everOpen ? this.link.heard_ms + this._offset_ms : null;
      this.streams.interrupted();
      for (const forget of this._interrupted) forget();
    }
    this._judge();
  }

  _judge() {
    this.verdict = judgeLink({
      phase: this.link.phase,
      everOpen: this.link.everOpen,
      silent_ms: this.link.silent_ms,
      downSince_ms: this._down_ms ?? this.link.heard_ms + this._offset_ms,
      refusal: this.link.refusal,
      heartbeat: this._heartbeat,
      now_ms: this.now(),
    });
    this.bar.show(this.verdict);
  }
}

function liveAddress() {
  return location.origin.replace(/^http/, "ws") + "/ws/live/";
}
