/** Which devices a chart shows, and as which line. Pure. */

/**
 * Lines for devices: the ones that stay keep their line, so that a colour goes on meaning the same device.
 * @param {string[]} wanted ids in order
 * @param {Map<string, number>} before id to line
 * @param {number} most
 * @returns {Map<string, number>}
 */
export function assignSlots(wanted, before, most) {
  const chosen = wanted.slice(0, most);
  const taken = new Set(chosen.map((id) => before.get(id)));
  const free = Array.from({ length: most }, (_, slot) => slot).filter((slot) => !taken.has(slot));
  const slots = new Map();
  for (const id of chosen) slots.set(id, before.get(id) ?? free.shift());
  return slots;
}

/**
 * The devices to chart: the ones chosen by hand that still exist, or the first few.
 * @param {string[]} chosen by hand; empty: nobody chose
 * @param {string[]} all ids in order
 * @param {number} most
 */
export function wantedDevices(chosen, all, most) {
  const known = new Set(all);
  const there = chosen.filter((id) => known.has(id));
  return there.length > 0 ? there : all.slice(0, most);
}
