/** What this page watches over its link: subscriptions, their cursors, and the acknowledgements of frames. */

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").StreamMessage} StreamMessage */
/** @typedef {(message: StreamMessage | import("./types.js").ErrorMessage) => void} Handler */

/** Acknowledgements a stream: fewer than the ten a second that the hub takes; each covers all frames before it. */
export const ACK_EVERY_MS = 110;

/**
 * @typedef {object} Stream
 * @property {Record<string, unknown>} request what is subscribed to, without stream and resume
 * @property {Handler} handler
 * @property {string | null} cursor up to where everything was seen
 * @property {number} frame the newest frame
 * @property {number} acked the newest acknowledged frame
 * @property {number} acked_ms when
 * @property {ReturnType<typeof setTimeout> | undefined} timer of an acknowledgement to come
 */

export class Streams {
  /**
   * @param {(message: object) => void} send
   * @param {() => number} [now]
   */
  constructor(send, now = Date.now) {
    this._send = send;
    this._now = now;
    /** @type {Map<string, Stream>} */
    this._streams = new Map();
    this._welcomed = false;
  }

  /**
   * Watch something under a name; the same name again replaces it.
   * @param {string} name
   * @param {Record<string, unknown>} request `{device_type, devices?}` or `{summary: true}`
   * @param {Handler} handler
   */
  subscribe(name, request, handler) {
    clearTimeout(this._streams.get(name)?.timer);
    const stream = { request, handler, cursor: null, frame: 0, acked: 0, acked_ms: 0, timer: undefined };
    this._streams.set(name, stream);
    if (this._welcomed) this._ask(name, stream);
  }

  /** The link broke: nothing can be acknowledged until the next welcome. */
  interrupted() {
    this._welcomed = false;
    for (const stream of this._streams.values()) {
      clearTimeout(stream.timer);
      stream.timer = undefined;
    }
  }

  /**
   * Every message of the link passes here; what belongs to a stream reaches its handler.
   * @param {Message} message
   */
  receive(message) {
    if (message.type === "welcome") this._resume();
    else if (message.type === "heartbeat") this._moveCursors(message.cursors ?? {});
    else if ("stream" in message && message.stream !== undefined) this._deliver(message.stream, message);
  }

  _resume() {
    this._welcomed = true;
    for (const [name, stream] of this._streams) {
      // Frames are numbered anew on every socket.
      stream.frame = 0;
      stream.acked = 0;
      this._ask(name, stream);
    }
  }

  /**
   * @param {string} name
   * @param {Stream} stream
   */
  _ask(name, stream) {
    const resume = stream.cursor === null ? {} : { resume: stream.cursor };
    this._send({ type: "subscribe", stream: name, ...stream.request, ...resume });
  }

  /** @param {Record<string, string>} cursors */
  _moveCursors(cursors) {
    for (const [name, cursor] of Object.entries(cursors)) {
      const stream = this._streams.get(name);
      if (stream) stream.cursor = cursor;
    }
  }

  /**
   * @param {string} name
   * @param {StreamMessage | import("./types.js").ErrorMessage} message
   */
  _deliver(name, message) {
    const stream = this._streams.get(name);
    if (!stream) return;
    if (message.type === "reset") stream.cursor = null;
    stream.handler(message);
    // The cursor moves after the handler: what it did not take is sent again.
    if ("cursor" in message && lastPart(message)) stream.cursor = message.cursor;
    if ("frame" in message) this._acknowledge(name, stream, message.frame);
  }

  /**
   * At once when the last one is long enough ago: timers of a hidden tab come once a second, which is too
   * seldom for a busy stream.
   * @param {string} name
   * @param {Stream} stream
   * @param {number} frame
   */
  _acknowledge(name, stream, frame) {
    stream.frame = Math.max(stream.frame, frame);
    const wait_ms = stream.acked_ms + ACK_EVERY_MS - this._now();
    if (wait_ms <= 0) this._sendAck(name, stream);
    else stream.timer ??= setTimeout(() => this._sendAck(name, stream), wait_ms);
  }

  /**
   * @param {string} name
   * @param {Stream} stream
   */
  _sendAck(name, stream) {
    clearTimeout(stream.timer);
    stream.timer = undefined;
    if (stream.frame === stream.acked) return;
    stream.acked = stream.frame;
    stream.acked_ms = this._now();
    this._send({ type: "ack", stream: name, frame: stream.frame });
  }
}

/**
 * Whether everything up to the message's cursor is in. Parts of a snapshot come in any counting, so the
 * stream resumes only from what follows the last one.
 * @param {{type: string, part?: number, parts?: number}} message
 */
function lastPart(message) {
  return message.type !== "snapshot" || (message.part ?? 1) >= (message.parts ?? 1);
}
