/** How often a pending entry was delivered, as clients see it: counters end at 2^63 − 1, beyond what a double holds exactly. */
import { DELIVERY_COUNT_LOWER_MAX, shownDeliveryCount } from "@headrace/engine";
import type { ReplyWriterApi } from "@headrace/resp";

export function writeDeliveryCount(reply: ReplyWriterApi, count: number): void {
  if (count <= DELIVERY_COUNT_LOWER_MAX) reply.integer(count);
  else reply.integer64(shownDeliveryCount(count));
}
