/**
 * Blocks as the store has them, for who looks through a store without building a state of it: which blocks a row of the directory names, which rows
 * their entries are in, and whether these are what the line says. All rows have to be of one moment.
 */
import { DamagedRowError } from "./api.ts";
import { Block, type BlockLine } from "./block.ts";
import { BlockBytes } from "./block-bytes.ts";
import { fillBlock, readFragment, type Fragment } from "./cold-block.ts";
import { KeyParts } from "./key-parts.ts";
import { dataSlot, rowBody, RowKind, type RowName, rowName, subkeyOf } from "./state-rows.ts";

/** One block after another goes through the same bytes. */
const memory = new BlockBytes();

/** One block that a row names. */
export class StoredBlock {
  /** Unique in its stream. */
  readonly number: number;
  /** Where its rows stand: with the bit of the region. */
  readonly slot: number;
  readonly subkeys: readonly Uint8Array[];
  readonly #line: BlockLine;

  constructor(slot: number, age: number, line: BlockLine) {
    this.number = line.number;
    this.slot = dataSlot(slot);
    this.subkeys = line.fragments.map((first) => subkeyOf(age, RowKind.fragment, line.number, first));
    this.#line = line;
  }

  /** `values`: what stands under its subkeys, null where there is nothing. Throws DamagedRowError, UnknownRowError. */
  check(values: readonly (Uint8Array | null)[]): void {
    const found = new Map<number, Fragment>();
    this.#line.fragments.forEach((first, i) => {
      const value = values[i]!;
      if (value === null) throw new DamagedRowError(`entries of block ${this.number} are missing`);
      found.set(first, readFragment(this.slot, this.subkeys[i]!, value));
    });
    const block = Block.shell(this.#line);
    fillBlock(block, (first) => found.get(first)!, memory);
    memory.give(block.bytes);
  }
}

/** The row that says which block of the key is the last one, where a row names blocks; null: it names none. Throws DamagedRowError. */
export function headerOfBlocks(subkey: Uint8Array): Uint8Array | null {
  const { kind, age } = rowName(subkey);
  return kind === RowKind.page || kind === RowKind.stream ? subkeyOf(age, RowKind.stream, 0, 0) : null;
}

/** In the order of their rows. `header`: the value of that row (`headerOfBlocks`). Throws DamagedRowError, UnknownRowError. */
export function blocksNamedBy(
  slot: number,
  subkey: Uint8Array,
  value: Uint8Array,
  header: Uint8Array,
): readonly StoredBlock[] {
  const name = rowName(subkey);
  const parts = new KeyParts(slot, name.age);
  takeRow(parts, { ...name, kind: RowKind.stream }, subkeyOf(name.age, RowKind.stream, 0, 0), header);
  const { tail } = parts.header!;
  if (name.kind === RowKind.stream) return tail === null ? [] : [new StoredBlock(slot, name.age, tail)];
  takeRow(parts, name, subkey, value);
  const { lines } = parts;
  return Array.from({ length: lines.countBefore(tail) }, (_, at) => new StoredBlock(slot, name.age, lines.line(at)));
}

function takeRow(parts: KeyParts, name: RowName, subkey: Uint8Array, value: Uint8Array): void {
  parts.takeRow(parts.slot, name, rowBody(parts.slot, subkey, value));
}
