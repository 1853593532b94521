/** Values, units, ages and times as people read them, in the browser's locale. Pure. */

/** @typedef {import("./types.js").Metric} Metric */
/** @typedef {import("./types.js").Value} Value */

/** What stands where nothing is known. */
export const NOTHING = "\u2013";

/** Between a number and its unit: narrow and never broken. */
const NARROW = "\u202f";

/** @type {Map<number | null, Intl.NumberFormat>} */
const numberFormats = new Map();
const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const shortClockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const dayFormat = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/**
 * A number with a metric's precision; without one as many digits as say something.
 * @param {number} value
 * @param {number | null} precision digits after the decimal sign
 */
export function formatNumber(value, precision) {
  let format = numberFormats.get(precision);
  if (!format) {
    format = new Intl.NumberFormat(
      undefined,
      precision === null
        ? { maximumSignificantDigits: 6 }
        : { minimumFractionDigits: precision, maximumFractionDigits: precision },
    );
    numberFormats.set(precision, format);
  }
  // A value that rounds to zero from below is zero, not "-0.0".
  return format.format(Object.is(value, -0) ? 0 : value).replace(/^[-\u2212](?=[0.,]*$)/, "");
}

/**
 * A value without its unit.
 * @param {Value | null | undefined} value
 * @param {Metric} metric
 */
export function formatValue(value, metric) {
  if (value === null || value === undefined) return NOTHING;
  if (typeof value === "number") return formatNumber(value, metric.precision);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value;
}

/**
 * A value with its unit, as it stands in running text.
 * @param {Value | null | undefined} value
 * @param {Metric} metric
 */
export function formatWithUnit(value, metric) {
  const text = formatValue(value, metric);
  return metric.unit && text !== NOTHING ? text + NARROW + metric.unit : text;
}

/** @param {Metric} metric */
export function metricName(metric) {
  if (metric.name) return metric.name;
  const words = metric.key.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/**
 * How long ago, in the largest unit that fits: `now`, `8 s`, `3 min`, `2 h`, `5 d`.
 * @param {number} age_ms
 */
export function formatAge(age_ms) {
  const seconds = Math.floor(age_ms / 1000);
  if (seconds < 1) return "now";
  if (seconds < 60) return seconds + NARROW + "s";
  if (seconds < 3600) return Math.floor(seconds / 60) + NARROW + "min";
  if (seconds < 86_400) return Math.floor(seconds / 3600) + NARROW + "h";
  return Math.floor(seconds / 86_400) + NARROW + "d";
}

/**
 * How far a device's clock is off: `Its clock is 12 s behind`; nothing when it is right.
 * @param {number | null} skew_ms above zero it is ahead
 */
export function clockText(skew_ms) {
  if (skew_ms === null) return "";
  return "Its clock is " + formatAge(Math.abs(skew_ms)) + (skew_ms > 0 ? " ahead" : " behind");
}

/** `14:03:22`. @param {number} ms */
export const formatClock = (ms) => clockFormat.format(ms);

/** `14:03`. @param {number} ms */
export const formatShortClock = (ms) => shortClockFormat.format(ms);

/** `Nov 22`. @param {number} ms */
export const formatDay = (ms) => dayFormat.format(ms);

/** `Nov 22, 2026, 14:03:22`. @param {number} ms */
export const formatMoment = (ms) => fullFormat.format(ms);

/**
 * Readings a second: two digits that matter, never more than one decimal place.
 * @param {number} perSecond
 */
export function formatRate(perSecond) {
  return formatNumber(perSecond, perSecond > 0 && perSecond < 9.95 ? 1 : 0);
}

/**
 * A noun with its count: `1 device`, `3 devices`.
 * @param {number} count
 * @param {string} noun
 */
export function counted(count, noun) {
  return formatNumber(count, 0) + " " + noun + (count === 1 ? "" : "s");
}

/** @type {Record<string, string>} */
const BECAUSE = {
  reading: "a reading arrived",
  status: "the device said so",
  no_reading: "no reading in time",
  disabled: "the device is disabled",
  last_will: "its connection was lost",
  retained: "the broker remembers it so",
};

/**
 * Why a device is in its state, from the code on the wire.
 * @param {string | null} code
 */
export function becauseText(code) {
  if (!code) return "";
  return BECAUSE[code] ?? code.replaceAll("_", " ");
}
