/**
 * Delivery counts in 48 bits that show as Redis' 63: exact at both ends, where they are met. Counters of real deliveries are small; XNACK FATAL sets
 * the greatest one, 2^63 − 1, and SILENT or RETRYCOUNT come near it.
 *
 *   0 … 2^48 − 2^16 − 1            themselves; what would be between the ends is kept as the last of these
 *   2^48 − 2^16 … 2^48 − 1         2^63 − 2^16 … 2^63 − 1
 */
const UPPER_END_SIZE = 0x1_0000;
const UPPER_END = 0x1_0000_0000_0000 - UPPER_END_SIZE;
const SHOWN_SHIFT = 2n ** 63n - 2n ** 48n;

/** 2^63 − 1: counters stop here. */
export const DELIVERY_COUNT_MAX = 0xffff_ffff_ffff;
/** The last one of the lower end; counters that come up to it stay there. */
export const DELIVERY_COUNT_LOWER_MAX: number = UPPER_END - 1;

/** How a client's number (≥ 0) is kept. */
export function deliveryCountOf(shown: bigint): number {
  if (shown <= BigInt(DELIVERY_COUNT_LOWER_MAX)) return Number(shown);
  const shifted = shown - SHOWN_SHIFT;
  return shifted < BigInt(UPPER_END) ? DELIVERY_COUNT_LOWER_MAX : Number(shifted);
}

/** What clients see of it. */
export function shownDeliveryCount(count: number): bigint {
  return count < UPPER_END ? BigInt(count) : BigInt(count) + SHOWN_SHIFT;
}

/** One delivery more. */
export function countUp(count: number): number {
  return count === DELIVERY_COUNT_LOWER_MAX || count === DELIVERY_COUNT_MAX ? count : count + 1;
}

/** One less, as if a delivery had not been. */
export function countDown(count: number): number {
  return count === 0 ? 0 : count - 1;
}
