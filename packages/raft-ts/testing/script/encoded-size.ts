/** How many bytes an entry has in etcd's encoding (protocol buffers): its limits count those. Arithmetic only, nothing is encoded. */
import { decodeConfChange, EntryType } from "../../src/index.ts";
import type { Entry } from "../../src/index.ts";

export function encodedSize(entry: Entry): number {
  const data = dataSize(entry);
  // Type, term and index are always there, each behind a byte for its field; absent data is not.
  const header = 3 + varintSize(entry.type) + varintSize(entry.term) + varintSize(entry.index);
  return data === 0 ? header : header + 1 + varintSize(data) + data;
}

function dataSize(entry: Entry): number {
  if (entry.type === EntryType.Normal || entry.data.length === 0) return entry.data.length;
  const { changes, transition, context } = decodeConfChange(entry.data, entry.type === EntryType.ConfChangeV2);
  const contextSize = context.length === 0 ? 0 : 1 + varintSize(context.length) + context.length;
  if (entry.type === EntryType.ConfChange) {
    // An id that is always 0, the type, the replica.
    return 2 + 2 + 1 + varintSize(changes[0]?.replica ?? 0) + contextSize;
  }
  let size = 1 + varintSize(transition) + contextSize;
  for (const change of changes) size += 2 + 2 + 1 + varintSize(change.replica);
  return size;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) size++;
  return size;
}
