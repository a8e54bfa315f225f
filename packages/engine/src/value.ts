/**
 * What a key holds when it is no stream: the contract that each kind of value meets (docs/decisions/0028-values-of-every-kind.md). A kind is a class of its
 * own, one line in value-kinds.ts, and a file for its effects; keys, expiry, rows, captures, rollback, packing, hashing and images know values by this only.
 *
 * Values live in memory whole. In the store a value is a head, one row that is written whenever the key is touched, and numbered parts (value-parts.ts), each
 * written only when it has changed: so that a capture writes what changed, however large the value is. A small value is all head.
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import type { DirtyMeter } from "./dirty-meter.ts";
import type { Mixer } from "./mixer.ts";
import type { ValueType, ValueView } from "./value-api.ts";
import type { ValueParts } from "./value-parts.ts";

export abstract class Value implements ValueView {
  /** As in rows and images, for ever. */
  abstract readonly kind: number;
  abstract readonly type: ValueType;
  abstract readonly encoding: string;
  /** What it takes in memory, about. Costs nothing: it is asked around every effect. */
  abstract readonly residentBytes: number;
  /** What the head takes in a row, about. */
  abstract readonly headBytes: number;
  /** Null: it has none, and never had. */
  abstract readonly parts: ValueParts | null;
  abstract writeHead(writer: ByteWriter): void;
  /** Part `number` as it is now; false: there is none, and nothing is written. */
  abstract writePart(number: number, writer: ByteWriter): boolean;
  /** Everything of it, as `readImage` of its kind takes it. */
  abstract writeImage(writer: ByteWriter): void;
  /** An upper bound of what `writeImage` writes, without writing it. */
  abstract readonly imageBytesMax: number;
  /** All that a client or a later effect could see. */
  abstract hash(mixer: Mixer): void;
  abstract verify(): void;

  get storedParts(): number {
    return this.parts === null ? 0 : this.parts.stored.size;
  }

  get memoryBytes(): number {
    return this.residentBytes;
  }
}

/** How values of one kind come out of rows and images. Both throw DamagedRowError or TruncatedError when the bytes do not fit together. */
export interface ValueKindRecord {
  readonly kind: number;
  readonly type: ValueType;
  /** Of its rows in the store. `parts`: bodies by number. All of it is persisted then. */
  read(head: ByteReader, parts: ReadonlyMap<number, ByteReader>, meter: DirtyMeter): Value;
  /** Of an image; nothing of it is persisted. */
  readImage(reader: ByteReader, meter: DirtyMeter): Value;
}
