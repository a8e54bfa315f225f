/** The id that `*` stands for. */
import { StreamId } from "@headrace/engine";

/** Null when there is no further one. */
export function nextAutoId(lastId: StreamId, nowMs: number): StreamId | null {
  return nowMs > lastId.ms() ? StreamId.of(nowMs, 0) : lastId.next();
}
