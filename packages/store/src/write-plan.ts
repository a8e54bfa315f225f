/**
 * What one synced write has to do: each key once, with its last change, and the large values apart. Values are taken by reference, keys are
 * copied behind their kind. Large ones are what is to lie in a file; `valueBytes` says for one that is compressed how long the value is, else 0.
 */
import { crc32, latin1, lengthWithRest, withRest } from "@headrace/bytes";
import type { KvChange } from "@headrace/ports";
import { rowKey } from "./value-row.ts";

export class WritePlan {
  /** Small values and deletions. Names are the caller's keys as strings, keys are LevelDB's. */
  readonly smallNames: string[] = [];
  readonly smallKeys: Uint8Array[] = [];
  readonly smallValues: (Uint8Array | null)[] = [];
  readonly largeNames: string[] = [];
  readonly largeKeys: Uint8Array[] = [];
  /** The bytes of all, one behind the other, each in one piece or more. */
  readonly largePieces: Uint8Array[] = [];
  readonly largeLengths: number[] = [];
  readonly largeValueBytes: number[] = [];
  /** CRC-32 of each as it is written. */
  readonly largeCrcs: number[] = [];
  largeBytes = 0;

  get isEmpty(): boolean {
    return this.smallKeys.length + this.largeKeys.length === 0;
  }

  addSmall(name: string, key: Uint8Array, value: Uint8Array | null): void {
    this.smallNames.push(name);
    this.smallKeys.push(key);
    this.smallValues.push(value);
  }

  addLarge(name: string, key: Uint8Array, pieces: readonly Uint8Array[], valueBytes: number, crc: number): void {
    let length = 0;
    for (const piece of pieces) {
      this.largePieces.push(piece);
      length += piece.length;
    }
    this.largeNames.push(name);
    this.largeKeys.push(key);
    this.largeLengths.push(length);
    this.largeValueBytes.push(valueBytes);
    this.largeCrcs.push(crc);
    this.largeBytes += length;
  }
}

/** `batches` in the order in which they were asked for; values of `largeBytesMin` and more are large. */
export function planWrite(batches: readonly (readonly KvChange[])[], largeBytesMin: number): WritePlan {
  const last = new Map<string, KvChange>();
  for (const changes of batches) {
    for (const change of changes) last.set(latin1(change.key, 0, change.key.length), change);
  }
  const plan = new WritePlan();
  for (const [name, { key, value, rest = [], crc }] of last) {
    if (value === null || lengthWithRest(value, rest) < largeBytesMin) {
      plan.addSmall(name, rowKey(key), value === null ? null : withRest(value, rest));
    } else {
      const pieces = [value, ...rest];
      plan.addLarge(name, rowKey(key), pieces, 0, crc ?? crc32OfAll(pieces));
    }
  }
  return plan;
}

function crc32OfAll(pieces: readonly Uint8Array[]): number {
  let crc = 0;
  for (const piece of pieces) crc = crc32(piece, crc);
  return crc;
}
