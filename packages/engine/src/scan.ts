/**
 * SCAN's cursor. Keys stand in order of (slot, age); an age is given at creation, grows over the shard's life and never comes back. So a key
 * that is there the whole time is met exactly once, whatever else comes and goes.
 *
 *   cursor = slot · 2^38 + age + 1, the next key to look at; 0 = the start, and as an answer: this shard has no more keys
 *
 * It stays below 2^53, so that clients with doubles may carry it. The gateway routes by `scanCursorSlot`.
 */
const AGE_BITS = 38n;
const AGE_MASK = (1n << AGE_BITS) - 1n;

export const KEY_AGE_MAX = 2 ** 38 - 2;

/** The cursor that goes on with the first key of `slot` that is at least `age` old. */
export function scanCursor(slot: number, age: number): bigint {
  return (BigInt(slot) << AGE_BITS) + BigInt(age) + 1n;
}

export function scanCursorSlot(cursor: bigint): number {
  return cursor <= 0n ? 0 : Number((cursor - 1n) >> AGE_BITS);
}

export function scanCursorAge(cursor: bigint): number {
  return cursor <= 0n ? 0 : Number((cursor - 1n) & AGE_MASK);
}
