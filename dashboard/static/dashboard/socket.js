/** The one WebSocket of a tab: it connects, comes back after every break, and notices a link that only looks open. */

import { LINK_SILENT_MS } from "./staleness.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {"connecting" | "open" | "waiting" | "refused"} Phase */

/** After so long without a word we ask, so that an idle link and a dead one are told apart in time. */
const PROBE_AFTER_MS = 6_000;
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 30_000;
const WATCH_EVERY_MS = 1_000;

const SIGN_IN = 4001;
const NOT_ALLOWED = 4003;

/** @type {Record<number, string>} */
const REFUSALS = {
  [SIGN_IN]: "Your session has ended. Sign in again to go on.",
  [NOT_ALLOWED]: "Your account may not see this live channel.",
};

/**
 * How long to wait before the next attempt: anything up to a bound that doubles (full jitter), so that
 * thousands of browsers do not come back in the same second.
 * @param {number} attempt 0 for the first
 * @param {() => number} random in [0, 1)
 */
export function retryDelay(attempt, random) {
  return random() * Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** attempt);
}

export class Link {
  /**
   * @param {string} url
   * @param {{onMessage: (message: Message) => void, onChange: () => void,
   *   WebSocketClass?: typeof WebSocket, now?: () => number, random?: () => number}} options
   */
  constructor(
    url,
    { onMessage, onChange, WebSocketClass = WebSocket, now = Date.now, random = Math.random },
  ) {
    this.url = url;
    this._onMessage = onMessage;
    this._onChange = onChange;
    this._WebSocket = WebSocketClass;
    this._now = now;
    this._random = random;
    /** @type {WebSocket | null} */
    this._socket = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._retry = undefined;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this._watch = undefined;
    this._attempt = 0;
    this._probed_ms = 0;
    this._began_ms = 0;
    /** @type {Phase} */
    this.phase = "connecting";
    this.everOpen = false;
    this.heard_ms = 0;
    this.refusal = "";
  }

  start() {
    this.heard_ms = this._now();
    this._watch = setInterval(() => this.watch(), WATCH_EVERY_MS);
    this._connect();
  }

  stop() {
    clearInterval(this._watch);
    clearTimeout(this._retry);
    this._drop();
  }

  /** Try at once, because something says that it may work now: the network is back, the tab is seen again. */
  hurry() {
    if (this.phase === "waiting") this._connect();
  }

  /**
   * Sent if the link is open; what matters is sent again after the next welcome anyway.
   * @param {object} message
   */
  send(message) {
    if (this._socket?.readyState === 1) this._socket.send(JSON.stringify(message));
  }

  /** How long nothing was heard. */
  get silent_ms() {
    return this._now() - this.heard_ms;
  }

  /** Called every second: ask when it is quiet, give up when nobody answers. */
  watch() {
    // An attempt that neither opens nor fails is given up like a silent link.
    if (this.phase === "connecting" && this._now() - this._began_ms > LINK_SILENT_MS) this._lost();
    if (this.phase !== "open") return;
    if (this.silent_ms > LINK_SILENT_MS) {
      this._lost();
    } else if (this.silent_ms > PROBE_AFTER_MS && this._probed_ms < this.heard_ms) {
      this._probed_ms = this._now();
      this.send({ type: "ping", at_ms: this._probed_ms });
    }
  }

  _connect() {
    clearTimeout(this._retry);
    this._drop();
    this._setPhase("connecting");
    this._began_ms = this._now();
    const socket = new this._WebSocket(this.url);
    this._socket = socket;
    socket.onmessage = (event) => this._hear(event.data);
    socket.onclose = (event) => this._closed(event.code);
  }

  /** @param {string} text */
  _hear(text) {
    this.heard_ms = this._now();
    if (this.phase !== "open") {
      this.everOpen = true;
      this._attempt = 0;
      this._setPhase("open");
    }
    this._onMessage(JSON.parse(text));
  }

  /** @param {number} code */
  _closed(code) {
    const refusal = REFUSALS[code];
    if (refusal === undefined) {
      this._lost();
    } else {
      this.refusal = refusal;
      this._drop();
      this._setPhase("refused");
    }
  }

  /** The link is gone, whether or not the browser has noticed. */
  _lost() {
    this._drop();
    const wait_ms = retryDelay(this._attempt, this._random);
    this._attempt += 1;
    this._setPhase("waiting");
    clearTimeout(this._retry);
    this._retry = setTimeout(() => this._connect(), wait_ms);
  }

  _drop() {
    const socket = this._socket;
    this._socket = null;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  /** @param {Phase} phase */
  _setPhase(phase) {
    this.phase = phase;
    this._onChange();
  }
}
