/** Entries named one by one (claims): the body as stored, or the id alone. The entries exist. */
import type { StreamId, StreamView } from "@headrace/engine";
import type { ReplyWriterApi } from "@headrace/resp";
import { writeId } from "./write-id.ts";

export function writeEntriesOrIds(
  reply: ReplyWriterApi,
  stream: StreamView,
  ids: readonly StreamId[],
  justIds: boolean,
): void {
  reply.array(ids.length);
  for (const id of ids) {
    if (justIds) writeId(reply, id);
    else stream.range(id, id, 1, false).writeTo(reply.writer);
  }
}
