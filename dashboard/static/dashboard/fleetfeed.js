/** From the stream of a device type to its fleet, and on to whoever shows it. */

import { Fleet } from "./store.js";

/**
 * @typedef {object} Watcher
 * @property {() => void} onSnapshot a whole snapshot replaced everything
 * @property {(ids: Set<string>, message: import("./types.js").ReadingsMessage) => void} onReadings
 * @property {(ids: Set<string>) => void} onStates
 * @property {(ids: Set<string>) => void} onDevices devices came, changed or went
 * @property {() => void} onDeviceType
 * @property {(text: string) => void} onError the hub refuses the stream
 */

/**
 * @param {import("./page.js").Page} page
 * @param {Record<string, unknown>} request
 * @param {Watcher} watcher
 * @returns {Fleet}
 */
export function watchFleet(page, request, watcher) {
  const fleet = new Fleet();
  page.onInterrupted(() => fleet.forgetSnapshot());
  page.streams.subscribe("fleet", request, (message) => {
    apply(fleet, message, watcher);
    page.request();
  });
  return fleet;
}

/**
 * @param {Fleet} fleet
 * @param {import("./types.js").StreamMessage | import("./types.js").ErrorMessage} message
 * @param {Watcher} watcher
 */
function apply(fleet, message, watcher) {
  switch (message.type) {
    case "snapshot":
      if (fleet.applySnapshot(message)) watcher.onSnapshot();
      break;
    case "readings":
      watcher.onReadings(fleet.applyReadings(message), message);
      break;
    case "states":
      watcher.onStates(fleet.applyStates(message));
      break;
    case "devices":
      watcher.onDevices(fleet.applyDevices(message));
      break;
    case "device_type":
      fleet.deviceType = message.device_type;
      watcher.onDeviceType();
      break;
    case "reset":
      fleet.forgetSnapshot();
      break;
    case "error":
      watcher.onError(message.detail);
      break;
  }
}
