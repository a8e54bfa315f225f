/**
 * A leaf of a table of members.
 *
 *   record   u8 tag (the upper byte of the member's hash) · varint length · bytes
 */
import { copyBytes } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import { isSameKey, RecordLeaf } from "./record-leaf.ts";

/** Of the record that `readRecordAt` has looked at: its member is bytes[recordStart, recordEnd), and nothing is behind it. */
export let recordStart = 0;
export let recordEnd = 0;

export function readRecordAt(bytes: Uint8Array, at: number): void {
  let byte = bytes[at + 1]!;
  let length = byte & 0x7f;
  recordStart = at + 2;
  for (let scale = 128; byte >= 0x80; scale *= 128) {
    byte = bytes[recordStart++]!;
    length += (byte & 0x7f) * scale;
  }
  recordEnd = recordStart + length;
}

export function recordBytes(length: number): number {
  let bytes = 2 + length;
  for (let rest = length; rest > 0x7f; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

export class MemberLeaf extends RecordLeaf {
  keyStart(at: number): number {
    readRecordAt(this.bytes, at);
    return recordStart;
  }

  keyEnd(at: number): number {
    readRecordAt(this.bytes, at);
    return recordEnd;
  }

  behind(at: number): number {
    return this.keyEnd(at);
  }

  /** Where the record of source[start, end) begins, −1: there is none. */
  find(tag: number, source: Uint8Array, start: number, end: number): number {
    const { bytes, used } = this;
    const length = end - start;
    for (let at = 0; at < used;) {
      let from = at + 2;
      let size = bytes[at + 1]!;
      if (size >= 0x80) {
        readRecordAt(bytes, at);
        from = recordStart;
        size = recordEnd - from;
      }
      if (size === length && bytes[at] === tag && isSameKey(bytes, from, source, start, end)) return at;
      at = from + size;
    }
    return -1;
  }

  add(tag: number, source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    let at = this.makeRoom(recordBytes(length));
    const { bytes } = this;
    bytes[at++] = tag;
    let rest = length;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
    bytes[at++] = rest;
    copyBytes(bytes, at, source, start, end);
  }

  protected countRecords(): number {
    let count = 0;
    for (let at = 0; at < this.used; at = recordEnd) {
      if (at + 2 > this.used) throw new DamagedRowError("a member is cut off");
      readRecordAt(this.bytes, at);
      if (!(recordEnd <= this.used)) throw new DamagedRowError("a member is cut off");
      count++;
    }
    return count;
  }
}
