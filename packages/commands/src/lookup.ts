/**
 * Finds a command's record by the bytes of its name: a case-folded integer hash, then a comparison. No string is made (measured for design
 * §5: 6 ns against 62 for string, lower case and Map).
 */
import { assert } from "@headrace/bytes";
import type { Request } from "@headrace/resp";
import type { CommandRecord } from "./command.ts";

interface LookupSlot {
  readonly upperName: string;
  readonly record: CommandRecord;
  /** Of a container's subcommands. */
  readonly nested: LookupTable | null;
}

export class LookupTable {
  readonly #slots: (LookupSlot | null)[];
  readonly #mask: number;

  /** `records` have full names; the part behind `|` is what is looked up. */
  constructor(records: readonly CommandRecord[]) {
    let size = 16;
    while (size < records.length * 4) size *= 2;
    this.#mask = size - 1;
    this.#slots = Array.from({ length: size }, () => null);
    for (const record of records) {
      const upperName = record.name.slice(record.name.indexOf("|") + 1).toUpperCase();
      let at = hashText(upperName) & this.#mask;
      for (let slot = this.#slots[at]; slot; slot = this.#slots[at]) {
        assert(slot.upperName !== upperName, `command ${record.name} is listed twice`);
        at = (at + 1) & this.#mask;
      }
      const nested = record.subcommands === null ? null : new LookupTable(record.subcommands);
      this.#slots[at] = { upperName, record, nested };
    }
  }

  /** The record that argument i names, its subcommand's when it is a container and has one; null: unknown. */
  find(request: Request, i: number): CommandRecord | null {
    const mask = this.#mask;
    let at = hashArgument(request, i) & mask;
    for (let slot = this.#slots[at]; slot; slot = this.#slots[at]) {
      if (request.is(i, slot.upperName)) {
        if (slot.nested === null || request.count <= i + 1) return slot.record;
        return slot.nested.find(request, i + 1);
      }
      at = (at + 1) & mask;
    }
    return null;
  }

  /** The record of argument i alone, subcommands not looked at. */
  findContainer(request: Request, i: number): CommandRecord | null {
    let at = hashArgument(request, i) & this.#mask;
    for (let slot = this.#slots[at]; slot; slot = this.#slots[at]) {
      if (request.is(i, slot.upperName)) return slot.record;
      at = (at + 1) & this.#mask;
    }
    return null;
  }

  /** By name as a string, `xgroup|create` for subcommands, in any case. */
  findByName(name: string): CommandRecord | null {
    const bar = name.indexOf("|");
    const upperName = (bar < 0 ? name : name.slice(0, bar)).toUpperCase();
    let at = hashText(upperName) & this.#mask;
    for (let slot = this.#slots[at]; slot; slot = this.#slots[at]) {
      if (slot.upperName === upperName) {
        if (bar < 0) return slot.record;
        return slot.nested === null ? null : slot.nested.findByName(name.slice(bar + 1));
      }
      at = (at + 1) & this.#mask;
    }
    return null;
  }
}

function hashArgument(request: Request, i: number): number {
  const bytes = request.bytes;
  const end = request.end(i);
  let hash = 0;
  for (let at = request.start(i); at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at]! | 32)) | 0;
  return hash ^ (hash >>> 9);
}

function hashText(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + (text.charCodeAt(i) | 32)) | 0;
  return hash ^ (hash >>> 9);
}
