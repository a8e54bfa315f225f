/**
 * How a table of leaves stands in the rows of a value: one leaf of up to 64 KiB is in the head; else every leaf is a part, so that a capture writes the leaves
 * that have changed.
 *
 *   in the head   u32 leaves · the leaf, if it is the only one and that small
 *   part          number n: records of leaf n
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import type { LeafBody, LeafListener } from "./leaf-table.ts";
import { ValueParts } from "./value-parts.ts";

const HEAD_LEAF_BYTES_MAX = 64 * 1024;
const COUNT_BYTES = 4;

/** What rows need to know of a table. */
export interface RowTable {
  readonly leafCount: number;
  leafBytes(number: number): number;
  leaf(number: number): { readonly bytes: Uint8Array; readonly used: number };
}

export class TableRows implements LeafListener {
  /** Null: the table has no parts, and never had. */
  parts: ValueParts | null;
  #table: RowTable | null;
  readonly #meter: DirtyMeter;

  constructor(meter: DirtyMeter) {
    this.parts = null;
    this.#table = null;
    this.#meter = meter;
  }

  /** The table, which tells this object of its leaves; instead of another one, if there was one. */
  follow(table: RowTable): void {
    const before = this.#table;
    const leaves = before === null ? 0 : before.leafCount;
    const hadParts = before !== null && (this.parts !== null || !this.#isSmall);
    this.#table = table;
    if (hadParts) for (let number = 0; number < leaves; number++) this.#mark(number);
  }

  /** Its leaf is in the head. */
  get #isSmall(): boolean {
    const table = this.#table!;
    return table.leafCount === 1 && table.leafBytes(0) <= HEAD_LEAF_BYTES_MAX;
  }

  leafChanged(number: number): void {
    if (this.parts !== null || !this.#isSmall) this.#mark(number);
  }

  #mark(number: number): void {
    const table = this.#table!;
    this.parts ??= new ValueParts(this.#meter);
    this.parts.mark(number, number < table.leafCount ? table.leafBytes(number) : 0);
  }

  get headBytes(): number {
    return COUNT_BYTES + (this.#isSmall ? this.#table!.leafBytes(0) : 0);
  }

  writeHead(writer: ByteWriter): void {
    const table = this.#table!;
    writer.u32(table.leafCount);
    if (this.#isSmall) writer.raw(table.leaf(0).bytes, 0, table.leaf(0).used);
  }

  /** False: there is none of that number. */
  writePart(number: number, writer: ByteWriter): boolean {
    const table = this.#table!;
    if (this.#isSmall || number >= table.leafCount) return false;
    const { bytes, used } = table.leaf(number);
    writer.raw(bytes, 0, used);
    return true;
  }

  verify(): void {
    if (!this.#isSmall && this.parts === null) throw new Error("a large table without parts");
  }

  /** The leaves that a table has in these rows, to be taken in by `take`. `head` stands at what `writeHead` wrote. Throws DamagedRowError. */
  read(head: ByteReader, parts: ReadonlyMap<number, ByteReader>, take: (bodies: readonly LeafBody[]) => void): void {
    const leafCount = head.u32();
    const bodies: LeafBody[] = [];
    if (parts.size === 0) {
      if (leafCount !== 1) throw new DamagedRowError("parts of a table are missing");
      bodies.push(restOf(head));
    } else {
      if (parts.size !== leafCount) throw new DamagedRowError("parts of a table are missing or left over");
      this.parts = new ValueParts(this.#meter);
      for (let number = 0; number < leafCount; number++) {
        const reader = parts.get(number);
        if (reader === undefined) throw new DamagedRowError("a part of a table is missing");
        bodies.push(restOf(reader));
        this.parts.stored.add(number);
      }
    }
    take(bodies);
    if ((parts.size === 0) !== this.#isSmall) throw new DamagedRowError("a table of another size");
  }
}

function restOf(reader: ByteReader): LeafBody {
  const { remaining } = reader;
  const start = reader.skip(remaining);
  return { bytes: reader.bytes, start, end: start + remaining };
}
