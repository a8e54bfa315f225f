/**
 * A stream out of Redis' RDB format: types 15 (STREAM_LISTPACKS, Redis 5), 19 (_2, Redis 7.0) and 21 (_3, Redis 7.2), into an image of ours.
 *
 *   length nodes · {string master id (16 bytes) · string listpack} · length entries · id last ·
 *   [19: id first · id maxDeleted · length entriesAdded] ·
 *   length groups · {string name · id lastDelivered · [19: length entriesRead] ·
 *     length pending · {raw id · time · length deliveries} ·
 *     length consumers · {string name · time seen · [21: time active] · length pending · {raw id}}}                         (rdb.c: rdbLoadObject)
 *
 *   listpack of a node: count · deleted · fields n · names… · 0 · {flags · ms − master · seq − master · [n · names…] values… · elements}
 *
 * Stricter than Redis without `sanitize-dump-payload`: all counts, and that every pending entry has one consumer, are checked.
 */
import { ByteWriter } from "@headrace/bytes";
import { deliveryCountOf, ENTRY_HEAD_BYTES_MAX, estimateEntriesRead, MIN_ID, writeEntryHead } from "@headrace/engine";
import type { StreamId, StreamImageWriter } from "@headrace/engine";
import { BadDumpError } from "./bad-dump.ts";
import { Listpack } from "./listpack.ts";
import { idOf } from "./rdb-reader.ts";
import type { ByteSpan, RdbReader } from "./rdb-reader.ts";

const Type = { first: 15, second: 19, third: 21 } as const;
const DELETED = 1;
const SAME_FIELDS = 2;
const NOBODY = 0;
/** What pending records hold. */
const UINT48_MAX = 2 ** 48 - 1;
const ENTRIES_READ_UNKNOWN = -1;

export function isStreamType(type: number): boolean {
  return type === Type.first || type === Type.second || type === Type.third;
}

/** Throws BadDumpError; stops early, with the image unfinished, when that is too large. */
export function readRdbStream(type: number, reader: RdbReader, image: StreamImageWriter): void {
  // The image has its head in front of the entries, the dump behind them.
  const nodes: { readonly master: StreamId; readonly listpack: ByteSpan }[] = [];
  for (let left = reader.length(); left > 0; left--) {
    const master = masterIdOf(reader.string());
    nodes.push({ master, listpack: reader.string() });
  }
  const length = reader.length();
  const lastId = reader.id();
  let maxDeletedId = MIN_ID;
  let entriesAdded = length;
  if (type !== Type.first) {
    reader.id();
    maxDeletedId = reader.id();
    entriesAdded = Math.min(reader.length(), Number.MAX_SAFE_INTEGER);
  }
  if (entriesAdded < length) throw new BadDumpError("fewer entries added than there are");
  image.head(lastId, maxDeletedId, entriesAdded);
  const entries = new EntryReader(image, lastId);
  for (const { master, listpack } of nodes) {
    entries.readNode(master, new Listpack(listpack));
    if (image.isTooLarge) return;
  }
  if (image.entryCount !== length) throw new BadDumpError("entries miscounted");
  image.endEntries();
  const shape: StreamShape = { length, lastId, maxDeletedId, entriesAdded, firstId: entries.firstId };
  readGroups(type, reader, shape, image);
  if (!image.isTooLarge && !reader.isAtEnd) throw new BadDumpError("more than a stream");
}

function masterIdOf({ bytes, start, end }: ByteSpan): StreamId {
  if (end - start !== 16) throw new BadDumpError("not a stream node's key");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return idOf(view.getBigUint64(start), view.getBigUint64(start + 8));
}

class EntryReader {
  firstId: StreamId;
  readonly #image: StreamImageWriter;
  readonly #lastId: StreamId;
  readonly #names: ByteWriter;
  #previous: StreamId;

  constructor(image: StreamImageWriter, lastId: StreamId) {
    this.firstId = MIN_ID;
    this.#image = image;
    this.#lastId = lastId;
    this.#names = new ByteWriter(256);
    this.#previous = MIN_ID;
  }

  readNode(master: StreamId, listpack: Listpack): void {
    const masterMs = (BigInt(master.msHi) << 32n) | BigInt(master.msLo);
    const masterSeq = (BigInt(master.seqHi) << 32n) | BigInt(master.seqLo);
    let live = listpack.count();
    let deleted = listpack.count();
    const nameCount = listpack.count();
    const nameEnds: number[] = [];
    this.#names.clear();
    for (let name = 0; name < nameCount; name++) {
      listpack.copyBulk(this.#names);
      nameEnds.push(this.#names.length);
    }
    if (listpack.nextInteger() !== 0n) throw new BadDumpError("a node's names have no end");
    let opensNode = true;
    while (!listpack.isAtEnd) {
      const flags = listpack.count();
      const ms = listpack.nextInteger();
      const seq = listpack.nextInteger();
      const hasOwnNames = (flags & SAME_FIELDS) === 0;
      const fieldCount = hasOwnNames ? listpack.count() : nameCount;
      const isDeleted = (flags & DELETED) !== 0;
      if (isDeleted) deleted--;
      else live--;
      const elements = hasOwnNames ? fieldCount * 2 : fieldCount;
      if (isDeleted) {
        for (let i = 0; i < elements; i++) listpack.next();
      } else {
        this.#entry(
          listpack,
          idOf(masterMs + ms, masterSeq + seq),
          fieldCount,
          hasOwnNames ? null : nameEnds,
          opensNode,
        );
        opensNode = false;
        if (this.#image.isTooLarge) return;
      }
      // As in Redis: elements of the entry, the count of an entry with own names included.
      if (listpack.count() !== elements + (hasOwnNames ? 4 : 3))
        throw new BadDumpError("an entry's elements are miscounted");
    }
    if (live !== 0 || deleted !== 0) throw new BadDumpError("a node's entries are miscounted");
  }

  #entry(
    listpack: Listpack,
    id: StreamId,
    fieldCount: number,
    names: readonly number[] | null,
    opensNode: boolean,
  ): void {
    if (fieldCount === 0) throw new BadDumpError("an entry without fields");
    if (id.compare(this.#previous) <= 0 || id.compare(this.#lastId) > 0) throw new BadDumpError("ids out of order");
    if (this.#previous.isZero()) this.firstId = id;
    this.#previous = id;
    const { region } = this.#image;
    const start = region.length;
    region.reserve(ENTRY_HEAD_BYTES_MAX);
    region.length = writeEntryHead(region.bytes, start, id, fieldCount * 2);
    for (let field = 0; field < fieldCount; field++) {
      if (names === null) listpack.copyBulk(region);
      else region.raw(this.#names.bytes, field === 0 ? 0 : names[field - 1]!, names[field]!);
      listpack.copyBulk(region);
      if (this.#image.isTooLarge) return;
    }
    this.#image.entry(id, start, opensNode);
  }
}

/** What `estimateEntriesRead` looks at. */
interface StreamShape {
  readonly length: number;
  readonly lastId: StreamId;
  readonly maxDeletedId: StreamId;
  readonly entriesAdded: number;
  readonly firstId: StreamId;
}

function readGroups(type: number, reader: RdbReader, shape: StreamShape, image: StreamImageWriter): void {
  const names = new Set<string>();
  for (let left = reader.length(); left > 0; left--) {
    const name = reader.text();
    if (names.has(name)) throw new BadDumpError("two groups of one name");
    names.add(name);
    const lastDeliveredId = reader.id();
    const entriesRead = type === Type.first ? estimateEntriesRead(shape, lastDeliveredId) : entriesReadOf(reader.u64());
    image.group(name, lastDeliveredId, entriesRead, 0);
    readGroup(type, reader, image);
    if (image.isTooLarge) return;
  }
}

function entriesReadOf(stored: bigint): number {
  const signed = Number(BigInt.asIntN(64, stored));
  return signed < 0 ? ENTRIES_READ_UNKNOWN : Math.min(signed, Number.MAX_SAFE_INTEGER);
}

interface PendingEntry {
  readonly id: StreamId;
  readonly timeMs: number;
  readonly deliveries: number;
  owner: number;
}

function readGroup(type: number, reader: RdbReader, image: StreamImageWriter): void {
  const pending = readPending(reader);
  const byId = new Map(pending.map((entry) => [entry.id.toString(), entry]));
  const names = new Set<string>();
  for (let left = reader.length(); left > 0; left--) {
    const name = reader.text();
    if (names.has(name)) throw new BadDumpError("two consumers of one name");
    names.add(name);
    const seenMs = clampTime(reader.timeMs());
    const activeMs = type === Type.third ? reader.timeMs() : seenMs;
    image.consumer(name, seenMs, activeMs < 0 ? -1 : clampTime(activeMs));
    for (let owned = reader.length(); owned > 0; owned--) {
      const entry = byId.get(reader.rawId().toString());
      if (entry === undefined || entry.owner !== NOBODY)
        throw new BadDumpError("a consumer's pending entry is nobody's, or another's");
      entry.owner = names.size;
    }
    if (image.isTooLarge) return;
  }
  image.beginPending();
  for (const { id, owner, timeMs, deliveries } of pending) {
    if (owner === NOBODY) throw new BadDumpError("a pending entry without a consumer");
    image.pending(id, owner, timeMs, deliveries);
  }
  image.endGroup();
}

function readPending(reader: RdbReader): PendingEntry[] {
  const pending: PendingEntry[] = [];
  let previous: StreamId | null = null;
  for (let left = reader.length(); left > 0; left--) {
    const id = reader.rawId();
    if (previous !== null && id.compare(previous) <= 0) throw new BadDumpError("pending ids out of order");
    previous = id;
    const timeMs = Math.min(clampTime(reader.timeMs()), UINT48_MAX);
    pending.push({ id, timeMs, deliveries: deliveryCountOf(reader.u64()), owner: NOBODY });
  }
  return pending;
}

function clampTime(timeMs: number): number {
  return Math.min(Math.max(timeMs, 0), Number.MAX_SAFE_INTEGER);
}
