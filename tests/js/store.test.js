import assert from "node:assert/strict";
import test from "node:test";
import { Fleet, matches } from "../../dashboard/static/dashboard/store.js";

const TYPE = { slug: "pump", name: "Pumps", description: "", expected_interval_s: 5, metrics: [] };

const device = (id, values = {}) => ({
  id,
  name: "",
  labels: {},
  enabled: true,
  state: "online",
  since_ms: 1000,
  because: "reading",
  received_ms: 2000,
  seq: null,
  values,
});

const snapshot = (devices, part = 1, parts = 1) => ({
  type: "snapshot",
  part,
  parts,
  device_type: TYPE,
  devices,
});

/** @param {ReturnType<typeof device>[]} devices */
function fleetOf(...devices) {
  const fleet = new Fleet();
  fleet.applySnapshot(snapshot(devices));
  return fleet;
}

const readings = (...rows) => ({ metrics: ["flow", "on"], rows });

test("a snapshot in parts counts when its last part is in", () => {
  const fleet = new Fleet();
  assert.equal(fleet.applySnapshot(snapshot([device("a")], 1, 2)), false);
  assert.equal(fleet.ready, false);
  assert.equal(fleet.applySnapshot(snapshot([device("b")], 2, 2)), true);
  assert.deepEqual([...fleet.devices.keys()], ["a", "b"]);
});

test("a snapshot replaces what was known", () => {
  const fleet = fleetOf(device("a"), device("b"));
  fleet.applySnapshot(snapshot([device("b")]));
  assert.deepEqual([...fleet.devices.keys()], ["b"]);
});

test("after a break the parts of an unfinished snapshot are forgotten", () => {
  const fleet = new Fleet();
  fleet.applySnapshot(snapshot([device("gone")], 1, 2));
  fleet.forgetSnapshot();
  fleet.applySnapshot(snapshot([device("a")]));
  assert.deepEqual([...fleet.devices.keys()], ["a"]);
});

test("a reading replaces older values and says which device changed", () => {
  const fleet = fleetOf(device("a", { flow: [1, 1000] }), device("b"));
  const changed = fleet.applyReadings(readings(["a", 3000, 3001, 7, [2, null]]));
  assert.deepEqual([...changed], ["a"]);
  const a = fleet.devices.get("a");
  assert.equal(a.values.get("flow").value, 2);
  assert.equal(a.values.has("on"), false);
  assert.equal(a.received_ms, 3001);
  assert.equal(a.seq, 7);
});

test("a repeat changes nothing", () => {
  const fleet = fleetOf(device("a"));
  const row = ["a", 3000, 3001, null, [2, true]];
  fleet.applyReadings(readings(row));
  assert.equal(fleet.applyReadings(readings(row)).size, 0);
});

test("a late reading does not replace a newer value, but a metric that had none", () => {
  const fleet = fleetOf(device("a", { flow: [9, 2000] }));
  fleet.applyReadings(readings(["a", 1500, 5000, null, [1, true]]));
  const a = fleet.devices.get("a");
  assert.equal(a.values.get("flow").value, 9);
  assert.equal(a.values.get("on").value, true);
});

test("a clock that is ahead cannot hold an old value for ever", () => {
  const fleet = fleetOf(device("a"));
  fleet.applyReadings(readings(["a", 900_000, 3000, null, [1, null]]));
  fleet.applyReadings(readings(["a", 4000, 4001, null, [2, null]]));
  assert.equal(fleet.devices.get("a").values.get("flow").value, 2);
});

test("readings of a device that is not there are let pass", () => {
  assert.equal(fleetOf().applyReadings(readings(["x", 1, 1, null, [1, null]])).size, 0);
});

test("states change, but not back to an older one", () => {
  const fleet = fleetOf(device("a"));
  fleet.applyStates({ changes: [["a", "silent", 5000, "no_reading"]] });
  fleet.applyStates({ changes: [["a", "online", 4000, "reading"]] });
  assert.equal(fleet.devices.get("a").state, "silent");
  assert.deepEqual(fleet.counts(), { online: 0, silent: 1, offline: 0, never: 0 });
});

test("a new device appears, a changed one keeps its values, a removed one goes", () => {
  const fleet = fleetOf(device("a", { flow: [1, 1000] }), device("b"));
  const info = { name: "Pump A", labels: { site: "north" }, enabled: false };
  const touched = fleet.applyDevices({
    changed: [
      { id: "a", ...info },
      { id: "c", ...info },
    ],
    removed: ["b"],
  });
  assert.deepEqual([...touched].sort(), ["a", "b", "c"]);
  assert.equal(fleet.devices.get("a").values.get("flow").value, 1);
  assert.equal(fleet.devices.get("a").enabled, false);
  assert.equal(fleet.devices.get("c").state, "never");
  assert.equal(fleet.devices.has("b"), false);
});

test("numbers in names are sorted as numbers", () => {
  const ids = fleetOf(device("pump-10"), device("pump-9"), device("pump-1"))
    .sorted()
    .map(({ id }) => id);
  assert.deepEqual(ids, ["pump-1", "pump-9", "pump-10"]);
});

test("a search finds by id, name and label, all words together", () => {
  const one = { id: "p1", name: "Cellar Pump", labels: { site: "north" }, enabled: true };
  assert.ok(matches(one, "cellar"));
  assert.ok(matches(one, "SITE:north pump"));
  assert.ok(!matches(one, "cellar south"));
});
