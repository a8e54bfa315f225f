/**
 * Entries of a block as the store has them, and how they come back into memory: every fragment is checked against what the index says of the block
 * (how many, how many bytes, which ids, their checksum), so that a row that is whole but of another time is found out.
 */
import { type ByteReader, copyBytes, crc32 } from "@headrace/bytes";
import { type ColdReads, DamagedRowError } from "./api.ts";
import { type Block, MARK_OPENS } from "./block.ts";
import type { BlockBytes } from "./block-bytes.ts";
import { checked } from "./checked.ts";
import { LENGTH_MASK, OPENS_NODE } from "./effect-format.ts";
import { dataSlot, rowBody, RowKind, subkeyOf } from "./state-rows.ts";
import { StreamId } from "./stream-id.ts";

/** One row of entries, where its parts stand in it. */
export interface Fragment {
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly ids: number;
  readonly lengths: number;
  readonly region: number;
  readonly regionBytes: number;
}

/** The reader stands at the body of the row. Throws DamagedRowError. */
export function readFragment(reader: ByteReader): Fragment {
  return checked(() => {
    const count = reader.u32();
    const ids = reader.skip(count * 16);
    const lengths = reader.skip(count * 4);
    const regionBytes = reader.remaining;
    return { count, bytes: reader.bytes, ids, lengths, region: reader.skip(regionBytes), regionBytes };
  });
}

/** As it is in the store now. Throws DamagedRowError. */
export function fragmentNow(coldReads: ColdReads, slot: number, age: number, block: number, first: number): Fragment {
  const subkey = subkeyOf(age, RowKind.fragment, block, first);
  const value = coldReads.rowNow(dataSlot(slot), subkey);
  if (value === null)
    throw new DamagedRowError(`entries of a block are missing (slot ${slot}, block ${block}, ${first})`);
  return readFragment(rowBody(dataSlot(slot), subkey, value));
}

/** Throws DamagedRowError; the block is as it was then. */
export function fillBlock(block: Block, fragmentAt: (first: number) => Fragment, memory: BlockBytes): void {
  const { hollow, hollowBytes, count, byteLength } = block;
  const isPart = hollow < count;
  const bytes = memory.take(isPart ? Math.max(byteLength, block.bytes.length) : byteLength);
  const capacity = isPart ? block.marks.length : count;
  const ids = new Uint32Array(capacity * 4);
  const ends = new Uint32Array(capacity);
  const opens = new Uint8Array(hollow);
  const idBytes = new Uint8Array(ids.buffer);
  let end = 0;
  const firsts = block.fragments.filter((first) => first < hollow);
  firsts.forEach((first, i) => {
    const next = firsts[i + 1] ?? hollow;
    const fragment = fragmentAt(first);
    const more = next - first;
    if ((i === 0 && first !== 0) || fragment.count < more)
      throw new DamagedRowError("fragments of a block do not join");
    copyBytes(idBytes, first * 16, fragment.bytes, fragment.ids, fragment.ids + more * 16);
    const start = end;
    const lengths = new DataView(fragment.bytes.buffer, fragment.bytes.byteOffset + fragment.lengths, more * 4);
    for (let entry = 0; entry < more; entry++) {
      const length = lengths.getUint32(entry * 4, true);
      end += length & LENGTH_MASK;
      ends[first + entry] = end;
      if ((length & OPENS_NODE) !== 0) opens[first + entry] = MARK_OPENS;
    }
    if (end - start > fragment.regionBytes || end > hollowBytes) {
      throw new DamagedRowError("lengths of a fragment do not add up");
    }
    copyBytes(bytes, start, fragment.bytes, fragment.region, fragment.region + (end - start));
  });
  if (firsts.length === 0 || end !== hollowBytes) throw new DamagedRowError("a block is shorter or longer than it was");
  const isSame = idAt(ids, 0).equals(block.hollowFirstId) && idAt(ids, hollow - 1).equals(block.hollowLastId);
  if (!isSame) throw new DamagedRowError("a block has other entries than it had");
  // What came behind the hollow part goes in front of the check: the checksum has all of it.
  if (isPart) copyBytes(bytes, hollowBytes, block.bytes, hollowBytes, byteLength);
  if (crc32(bytes.subarray(0, byteLength)) !== block.contentCrc()) {
    throw new DamagedRowError("a block does not match its checksum");
  }
  for (let entry = 0; entry < hollow; entry++) block.marks[entry]! |= opens[entry]!;
  if (block.opensFirst) block.marks[0]! |= MARK_OPENS;
  block.fill(bytes, ids, ends);
}

function idAt(ids: Uint32Array, entry: number): StreamId {
  const cell = entry * 4;
  return new StreamId(ids[cell]!, ids[cell + 1]!, ids[cell + 2]!, ids[cell + 3]!);
}
