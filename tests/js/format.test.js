import assert from "node:assert/strict";
import test from "node:test";
import {
  becauseText,
  clockText,
  counted,
  formatAge,
  formatNumber,
  formatRate,
  formatValue,
  formatWithUnit,
  metricName,
  NOTHING,
} from "../../dashboard/static/dashboard/format.js";

const metric = (changes = {}) => ({
  key: "room_temperature",
  name: "",
  kind: "number",
  unit: "°C",
  minimum: null,
  maximum: null,
  precision: 1,
  ...changes,
});

/** Digits only, so that the tests hold in every locale. @param {string} text */
const digits = (text) => text.replace(/\D/g, "");

test("a number has the precision of its metric", () => {
  assert.equal(digits(formatNumber(21.456, 1)), "215");
  assert.equal(digits(formatNumber(21, 2)), "2100");
  assert.equal(formatNumber(21.456, 0), "21");
});

test("without a precision as many digits as say something", () => {
  assert.equal(digits(formatNumber(0.1 + 0.2, null)), "03");
  assert.equal(digits(formatNumber(1013.25, null)), "101325");
});

test("what rounds to zero has no sign", () => {
  assert.equal(formatNumber(-0.04, 1), formatNumber(0, 1));
  assert.equal(formatNumber(-0, 0), "0");
  assert.notEqual(formatNumber(-0.06, 1), formatNumber(0.06, 1));
});

test("values speak their kind", () => {
  assert.equal(formatValue(true, metric({ kind: "boolean" })), "yes");
  assert.equal(formatValue(false, metric({ kind: "boolean" })), "no");
  assert.equal(formatValue("eco", metric({ kind: "text" })), "eco");
  assert.equal(formatValue(undefined, metric()), NOTHING);
});

test("a unit stands behind a value, and not behind nothing", () => {
  assert.match(formatWithUnit(20, metric()), /20.0\s°C$/u);
  assert.equal(formatWithUnit(null, metric()), NOTHING);
});

test("a metric without a name is called by its key", () => {
  assert.equal(metricName(metric()), "Room temperature");
  assert.equal(metricName(metric({ name: "Flow" })), "Flow");
});

test("ages are told in the largest unit that fits", () => {
  const ages = [0, 999, 8_000, 59_999, 60_000, 7_200_000, 3 * 86_400_000].map((ms) =>
    formatAge(ms).replace(/\s/u, " "),
  );
  assert.deepEqual(ages, ["now", "now", "8 s", "59 s", "1 min", "2 h", "3 d"]);
});

test("rates have a decimal place while they are small", () => {
  assert.equal(digits(formatRate(3.26)), "33");
  assert.equal(formatRate(30.2), "30");
  assert.equal(formatRate(0), "0");
});

test("nouns follow their counts", () => {
  assert.equal(counted(1, "device"), "1 device");
  assert.equal(counted(0, "device"), "0 devices");
});

test("an unknown code is still said in words", () => {
  assert.equal(becauseText("no_reading"), "no reading in time");
  assert.equal(becauseText("power_cut"), "power cut");
  assert.equal(becauseText(null), "");
});

test("a clock that is off is ahead or behind, one that is right is not mentioned", () => {
  assert.equal(clockText(12_400), "Its clock is 12\u202fs ahead");
  assert.equal(clockText(-180_000), "Its clock is 3\u202fmin behind");
  assert.equal(clockText(null), "");
});
