/**
 * How large effects become that repeat names: a log entry has a bound, so a command whose effects may take more than its room is refused before
 * its first effect (I2). What one request's own bytes bound, the node judges; here is what a request can multiply.
 */

/** An effect's header, the lengths of its names and its fixed fields, rounded up (engine/effect-format.ts). */
const EFFECT_FRAME_BYTES = 128;
/** An id in a list of ids, or where its entry stands. */
export const ID_BYTES = 17;
/** A claimed id with its time and count. */
export const CLAIM_BYTES = 32;

/** Upper bound of `count` effects that name these, without their lists of ids. */
export function effectBytes(count: number, ...names: readonly string[]): number {
  let bytes = EFFECT_FRAME_BYTES;
  for (const name of names) bytes += name.length;
  return count * bytes;
}
