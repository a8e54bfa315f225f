/**
 * Log time in seconds since 2020: for OBJECT IDLETIME, which knows no more. Small integers, so that a key's field stays one through each use.
 */
const EPOCH_SECONDS = 1_577_836_800;

export function secondsOf(logTimeMs: number): number {
  return Math.max(0, Math.floor(logTimeMs / 1000) - EPOCH_SECONDS);
}
