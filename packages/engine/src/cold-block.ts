/**
 * Entries of a block as the store has them, and how they come back into memory: every fragment is checked against what the index says of the block
 * (how many, how many bytes, which ids, their checksum), so that a row that is whole but of another time is found out.
 */
import { ByteReader, copyBytes, crc32, crc32Join, CRC_JOIN_BYTES_MIN } from "@headrace/bytes";
import { DamagedRowError, UnknownRowError } from "./api.ts";
import type { ColdReads } from "./cold-api.ts";
import { type Block, MARK_OPENS } from "./block.ts";
import type { BlockBytes } from "./block-bytes.ts";
import { checked } from "./checked.ts";
import { LENGTH_MASK, OPENS_NODE } from "./effect-format.ts";
import {
  dataSlot,
  ROW_CRC_BYTES,
  ROW_VERSION,
  rowBody,
  rowChecksum,
  RowKind,
  storedChecksum,
  subkeyOf,
} from "./state-rows.ts";
import { StreamId } from "./stream-id.ts";

/** One row of entries, where its parts stand in it. */
export interface Fragment {
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly ids: number;
  readonly lengths: number;
  readonly region: number;
  readonly regionBytes: number;
  /** CRC-32 of the region. */
  readonly regionCrc: number;
}

/**
 * Of a row as it is stored. The region is gone over once, for the row's checksum and for that of the block which it becomes. Throws DamagedRowError,
 * UnknownRowError.
 */
export function readFragment(slot: number, subkey: Uint8Array, value: Uint8Array): Fragment {
  if (value.length < CRC_JOIN_BYTES_MIN) {
    const fragment = fragmentIn(rowBody(slot, subkey, value), 0);
    return { ...fragment, regionCrc: crc32(regionOf(fragment)) };
  }
  const end = value.length - ROW_CRC_BYTES;
  // Where the region begins is not to be relied on before the checksum has been seen to be right: any place will do for that.
  const fragment = fragmentIn(new ByteReader(value, 1, end), 0);
  const regionCrc = crc32(regionOf(fragment));
  const columns = rowChecksum(slot, subkey, value.subarray(0, fragment.region));
  if (crc32Join(columns, regionCrc, fragment.regionBytes) !== storedChecksum(value)) {
    throw new DamagedRowError("row does not match its checksum");
  }
  if (value[0] !== ROW_VERSION) throw new UnknownRowError(`row version ${value[0]}`);
  return { ...fragment, regionCrc };
}

function fragmentIn(reader: ByteReader, regionCrc: number): Fragment {
  return checked(() => {
    const count = reader.u32();
    const ids = reader.skip(count * 16);
    const lengths = reader.skip(count * 4);
    const regionBytes = reader.remaining;
    return { count, bytes: reader.bytes, ids, lengths, region: reader.skip(regionBytes), regionBytes, regionCrc };
  });
}

function regionOf({ bytes, region, regionBytes }: Fragment): Uint8Array {
  return bytes.subarray(region, region + regionBytes);
}

/** As it is in the store now. Throws DamagedRowError. */
export function fragmentNow(coldReads: ColdReads, slot: number, age: number, block: number, first: number): Fragment {
  const subkey = subkeyOf(age, RowKind.fragment, block, first);
  const value = coldReads.rowNow(dataSlot(slot), subkey);
  if (value === null)
    throw new DamagedRowError(`entries of a block are missing (slot ${slot}, block ${block}, ${first})`);
  return readFragment(dataSlot(slot), subkey, value);
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
  /** Of all regions so far, null when one of them was not used whole. */
  let regionsCrc: number | null = 0;
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
    const isUsedWhole = end - start === fragment.regionBytes;
    regionsCrc = !isUsedWhole || regionsCrc === null ? null : crc32Join(regionsCrc, fragment.regionCrc, end - start);
  });
  if (firsts.length === 0 || end !== hollowBytes) throw new DamagedRowError("a block is shorter or longer than it was");
  const isSame = idAt(ids, 0).equals(block.hollowFirstId) && idAt(ids, hollow - 1).equals(block.hollowLastId);
  if (!isSame) throw new DamagedRowError("a block has other entries than it had");
  // What came behind the hollow part goes in front of the check: the checksum has all of it.
  if (isPart) copyBytes(bytes, hollowBytes, block.bytes, hollowBytes, byteLength);
  const contentCrc = isPart || regionsCrc === null ? crc32(bytes.subarray(0, byteLength)) : regionsCrc;
  if (contentCrc !== block.contentCrc()) {
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
