/**
 * SCAN's cursor. Keys stand in order of (slot, place); a place is given at creation, grows over the shard's life and never comes back. So a key
 * that is there the whole time is met exactly once, whatever else comes and goes. RENAME and what replaces a key give a new place, behind all
 * others: a name that is there the whole time is met at least once, whichever key bears it.
 *
 *   cursor = slot · 2^38 + place + 1, the next key to look at; 0 = the start, and as an answer: this shard has no more keys
 *
 * It stays below 2^53, so that clients with doubles may carry it. The gateway routes by `scanCursorSlot`.
 */
const PLACE_BITS = 38n;
const PLACE_MASK = (1n << PLACE_BITS) - 1n;

export const KEY_AGE_MAX = 2 ** 38 - 2;

/** The cursor that goes on with the first key of `slot` in `place` or behind it. */
export function scanCursor(slot: number, place: number): bigint {
  return (BigInt(slot) << PLACE_BITS) + BigInt(place) + 1n;
}

export function scanCursorSlot(cursor: bigint): number {
  return cursor <= 0n ? 0 : Number((cursor - 1n) >> PLACE_BITS);
}

export function scanCursorPlace(cursor: bigint): number {
  return cursor <= 0n ? 0 : Number((cursor - 1n) & PLACE_MASK);
}
