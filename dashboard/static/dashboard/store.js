/**
 * What is known of the devices of one type: snapshot and frames merged by (device, ts). Pure; a repeat
 * of any message changes nothing.
 */

/** @typedef {import("./types.js").DeviceSnapshot} DeviceSnapshot */
/** @typedef {import("./types.js").DeviceInfo} DeviceInfo */
/** @typedef {import("./types.js").DeviceType} DeviceType */
/** @typedef {import("./types.js").Value} Value */
/** @typedef {import("./types.js").State} State */

/**
 * A value in force. `rank` is min(ts, received): what a newer value has to reach to replace it, so that a
 * device whose clock is ahead cannot hold an old value for ever.
 * @typedef {{value: Value, ts_ms: number, rank: number}} Held
 */

/**
 * @typedef {DeviceInfo & {state: State, since_ms: number | null, because: string | null,
 *   received_ms: number | null, seq: number | null, values: Map<string, Held>}} Device
 */

export class Fleet {
  constructor() {
    /** @type {DeviceType | null} */
    this.deviceType = null;
    /** @type {Map<string, Device>} */
    this.devices = new Map();
    /** Whether a whole snapshot is in. */
    this.ready = false;
    /** @type {Map<string, Device>} */
    this._coming = new Map();
    this._parts = 0;
  }

  /**
   * One part of a snapshot; true with the last one, when the whole replaces what was known.
   * @param {import("./types.js").SnapshotMessage} message
   */
  applySnapshot(message) {
    this._parts += 1;
    for (const device of message.devices) this._coming.set(device.id, fromSnapshot(device));
    if (this._parts < message.parts) return false;
    this.deviceType = message.device_type;
    this.devices = this._coming;
    this.ready = true;
    this.forgetSnapshot();
    return true;
  }

  /** Begin again: after a break the parts of an unfinished snapshot are worth nothing. */
  forgetSnapshot() {
    this._coming = new Map();
    this._parts = 0;
  }

  /**
   * Rows into latest values; the ids of devices where something changed.
   * @param {{metrics: string[], rows: import("./types.js").Row[]}} message
   * @returns {Set<string>}
   */
  applyReadings(message) {
    const changed = new Set();
    for (const row of message.rows) {
      const device = this.devices.get(row[0]);
      if (device && applyRow(device, message.metrics, row)) changed.add(device.id);
    }
    return changed;
  }

  /**
   * @param {{changes: import("./types.js").StatesMessage["changes"]}} message
   * @returns {Set<string>}
   */
  applyStates(message) {
    const changed = new Set();
    for (const [id, state, since_ms, because] of message.changes) {
      const device = this.devices.get(id);
      if (!device || (device.since_ms ?? 0) > since_ms) continue;
      Object.assign(device, { state, since_ms, because });
      changed.add(id);
    }
    return changed;
  }

  /**
   * New, changed and removed devices; the ids of all of them.
   * @param {{changed: DeviceInfo[], removed: string[]}} message
   * @returns {Set<string>}
   */
  applyDevices(message) {
    const touched = new Set(message.removed);
    for (const id of message.removed) this.devices.delete(id);
    for (const info of message.changed) {
      const { id, name, labels, enabled } = info;
      const known = this.devices.get(id);
      if (known) Object.assign(known, { name, labels, enabled });
      else this.devices.set(id, unheard(info));
      touched.add(id);
    }
    return touched;
  }

  /** How many devices are in each state. @returns {Record<State, number>} */
  counts() {
    const counts = { online: 0, silent: 0, offline: 0, never: 0 };
    for (const device of this.devices.values()) counts[device.state] += 1;
    return counts;
  }

  /** All devices by their shown name, numbers in names counted as numbers. @returns {Device[]} */
  sorted() {
    return [...this.devices.values()].sort(
      (a, b) => NAMES.compare(shownName(a), shownName(b)) || NAMES.compare(a.id, b.id),
    );
  }
}

const NAMES = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** @param {DeviceInfo} device */
export const shownName = (device) => device.name || device.id;

/**
 * Whether every word of a search stands in the id, name or labels of a device.
 * @param {DeviceInfo} device
 * @param {string} search
 */
export function matches(device, search) {
  const labels = Object.entries(device.labels).map(([key, value]) => key + ":" + value);
  const text = [device.id, device.name, ...labels].join(" ").toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** @param {DeviceSnapshot} snapshot @returns {Device} */
function fromSnapshot(snapshot) {
  const received_ms = snapshot.received_ms;
  /** @type {Map<string, Held>} */
  const values = new Map();
  for (const [key, [value, ts_ms]] of Object.entries(snapshot.values)) {
    values.set(key, { value, ts_ms, rank: Math.min(ts_ms, received_ms ?? ts_ms) });
  }
  return { ...snapshot, values };
}

/** @param {DeviceInfo} info @returns {Device} */
function unheard({ id, name, labels, enabled }) {
  const nothing = { since_ms: null, because: null, received_ms: null, seq: null };
  return { id, name, labels, enabled, state: "never", ...nothing, values: new Map() };
}

/**
 * @param {Device} device
 * @param {string[]} metrics
 * @param {import("./types.js").Row} row
 */
function applyRow(device, metrics, [, ts_ms, received_ms, seq, cells]) {
  const rank = Math.min(ts_ms, received_ms);
  let changed = false;
  cells.forEach((value, index) => {
    const key = metrics[index];
    if (value === null || key === undefined) return;
    const held = device.values.get(key);
    if (held && (held.rank > rank || (held.ts_ms === ts_ms && held.value === value))) return;
    device.values.set(key, { value, ts_ms, rank });
    changed = true;
  });
  if (received_ms > (device.received_ms ?? 0)) {
    device.received_ms = received_ms;
    device.seq = seq ?? device.seq;
    changed = true;
  }
  return changed;
}
