/**
 * The shapes that go over the WebSocket and REST, for the type checker only. Times are Unix milliseconds UTC.
 *
 * @typedef {number | string | boolean} Value
 * @typedef {"never" | "online" | "silent" | "offline"} State
 * @typedef {{key: string, name: string, kind: "number" | "boolean" | "text", unit: string,
 *   minimum: number | null, maximum: number | null, precision: number | null}} Metric
 * @typedef {{slug: string, name: string, description: string, expected_interval_s: number | null,
 *   metrics: Metric[]}} DeviceType
 * @typedef {{id: string, name: string, labels: Record<string, string>, enabled: boolean}} DeviceInfo
 * @typedef {DeviceInfo & {state: State, since_ms: number | null, because: string | null,
 *   received_ms: number | null, seq: number | null, values: Record<string, [Value, number]>}} DeviceSnapshot
 *
 * @typedef {[id: string, ts_ms: number, received_ms: number, seq: number | null, cells: (Value | null)[]]} Row
 * @typedef {{type: "snapshot", stream: string, part: number, parts: number, cursor: string,
 *   device_type: DeviceType, devices: DeviceSnapshot[]}} SnapshotMessage
 * @typedef {{type: "readings", stream: string, frame: number, cursor: string, metrics: string[],
 *   rows: Row[], merged: number}} ReadingsMessage
 * @typedef {{type: "states", stream: string, frame: number, cursor: string,
 *   changes: [id: string, state: State, since_ms: number, because: string][]}} StatesMessage
 * @typedef {{type: "devices", stream: string, frame: number, cursor: string, changed: DeviceInfo[],
 *   removed: string[]}} DevicesMessage
 * @typedef {{type: "device_type", stream: string, frame: number, cursor: string,
 *   device_type: DeviceType}} DeviceTypeMessage
 * @typedef {{type: "resumed", stream: string, recovered: number, lost: number}} ResumedMessage
 * @typedef {{type: "reset", stream: string, reason: string, missed: number | null}} ResetMessage
 * @typedef {{slug: string, online: number, silent: number, offline: number, never: number,
 *   readings_per_s: number}} TypeSummary
 * @typedef {{type: "summary", stream: string, types: TypeSummary[]}} SummaryMessage
 * @typedef {{slot: string, source: string, heard_ms: number, receiving: boolean, receiving_since_ms: number,
 *   storing: boolean, storing_since_ms: number, lag_ms: number}} Bridge
 * @typedef {{type: "heartbeat", server_time_ms: number, layer: "up" | "down", bridges: Bridge[],
 *   cursors?: Record<string, string>}} Heartbeat
 * @typedef {{type: "welcome", version: number, server_time_ms: number, max_unacked: number,
 *   resume_horizon_s: number}} Welcome
 * @typedef {{type: "pong", at_ms: number, server_time_ms: number}} Pong
 * @typedef {{type: "error", code: string, detail: string, stream?: string}} ErrorMessage
 * @typedef {SnapshotMessage | ReadingsMessage | StatesMessage | DevicesMessage | DeviceTypeMessage |
 *   ResumedMessage | ResetMessage | SummaryMessage} StreamMessage
 * @typedef {StreamMessage | Heartbeat | Welcome | Pong | ErrorMessage} Message
 *
 * @typedef {{value: (Value | null)[]}} RawColumn
 * @typedef {{min: (number | null)[], max: (number | null)[], mean: (number | null)[],
 *   last: (Value | null)[], count: number[]}} BucketColumn
 * @typedef {{from_ms: number, to_ms: number, resolution: string, bucket_ms: number | null, ts: number[],
 *   metrics: Record<string, RawColumn | BucketColumn>}} Columns
 */

export {};
