/** Asking the hub over HTTP. Errors are sentences that can stand on the page. */

/** @typedef {import("./types.js").Columns} Columns */

/** How many questions are under way at once; browsers open six connections at most. */
const AT_ONCE = 4;

export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0: no answer
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} path below the hub's address
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} the JSON in the answer; ApiError otherwise
 */
export async function getJson(path, signal) {
  return ask(path, { headers: { Accept: "application/json" }, signal: signal ?? null });
}

/**
 * Ask the hub to do something, as who is signed in.
 * @param {string} path below the hub's address
 * @returns {Promise<any>} the JSON in the answer; ApiError otherwise
 */
export async function postJson(path) {
  const field = /** @type {HTMLInputElement | null} */ (document.querySelector("[name=csrfmiddlewaretoken]"));
  return ask(path, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/json",
      "X-CSRFToken": field?.value ?? "",
    },
    body: "{}",
  });
}

/**
 * @param {string} path
 * @param {RequestInit} request
 */
async function ask(path, request) {
  const answer = await fetch(path, request).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The hub did not answer. Is this browser online?", 0);
  });
  if (answer.ok) return answer.json();
  throw new ApiError(sentence(answer.status, await answer.json().catch(() => null)), answer.status);
}

/**
 * @param {number} status
 * @param {{errors?: {detail: string}[]} | null} body
 */
function sentence(status, body) {
  if (status === 401) return "Your session has ended. Sign in again to go on.";
  const detail = body?.errors?.[0]?.detail;
  return detail ? detail : "The hub answered with an error (" + status + ").";
}

/**
 * History of metrics of one device.
 * @param {string} device
 * @param {string[]} metrics
 * @param {{from_ms: number, to_ms: number, points: number}} window
 * @param {AbortSignal} [signal]
 * @returns {Promise<Columns>}
 */
export function readings(device, metrics, { from_ms, to_ms, points }, signal) {
  const query = new URLSearchParams({
    from: String(from_ms),
    to: String(to_ms),
    metrics: metrics.join(","),
    points: String(points),
  });
  return getJson("/api/v1/devices/" + encodeURIComponent(device) + "/readings/?" + query, signal);
}

/**
 * Run a question for each item, a few at a time; the first error ends it.
 * @template T
 * @param {T[]} items
 * @param {(item: T) => Promise<void>} ask
 */
export async function forEachFew(items, ask) {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await ask(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
