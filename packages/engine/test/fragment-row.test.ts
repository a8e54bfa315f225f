/** Rows of entries: their checksums are put together from those of parts, and have to be what going over all of it gives. */
import fc from "fast-check";
import { crc32 as zlibCrc32 } from "node:zlib";
import { asciiBytes, withRest } from "@headrace/bytes";
import { expect, test } from "vitest";
import { DamagedRowError } from "../src/api.ts";
import { readFragment } from "../src/cold-block.ts";
import { ShardState } from "../src/shard-state.ts";
import { RowKind, rowBody, rowName } from "../src/state-rows.ts";
import { StreamId } from "../src/stream-id.ts";

const BOUNDS = { maxEntries: 100, maxBytes: 4096 };

/** Rows of entries of one stream that got so many entries of so many bytes before each capture. */
function rowsOf(captures: readonly { readonly entries: number; readonly valueBytes: number }[]): FragmentRow[] {
  const state = new ShardState();
  const rows: FragmentRow[] = [];
  let ms = 0;
  for (const { entries, valueBytes } of captures) {
    const fields = asciiBytes(`$1\r\nf\r\n$${valueBytes}\r\n${"v".repeat(valueBytes)}\r\n`);
    const effects = state.openBatch(state.index + 1, 1000);
    for (let i = 0; i < entries; i++) effects.append("s", StreamId.of(++ms, 0), 2, fields, 0, fields.length, BOUNDS);
    state.sealBatch();
    state.committedTo(state.index);
    for (const { slot, subkey, value, rest, crc } of state.capture().rows) {
      if (value === null || rowName(subkey).kind !== RowKind.fragment) continue;
      rows.push({ slot, subkey, value: withRest(value, rest), crc });
    }
  }
  return rows;
}

interface FragmentRow {
  readonly slot: number;
  readonly subkey: Uint8Array;
  readonly value: Uint8Array;
  readonly crc: number | undefined;
}

test("a row's checksum covers all of it, and what the store is told is the checksum of the value", () => {
  let joined = 0;
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ entries: fc.integer({ min: 1, max: 260 }), valueBytes: fc.constantFrom(1, 90, 256, 700, 9000) }),
        {
          minLength: 1,
          maxLength: 5,
        },
      ),
      (captures) => {
        for (const { slot, subkey, value, crc } of rowsOf(captures)) {
          // It throws when the row does not match.
          rowBody(slot, subkey, value);
          if (crc === undefined) continue;
          joined++;
          expect(crc).toBe(zlibCrc32(value));
        }
      },
    ),
    { numRuns: 60 },
  );
  expect(joined).toBeGreaterThan(50);
});

test("one flipped bit anywhere in a row of entries is found, whatever it says then of its parts", () => {
  const rows = rowsOf([
    { entries: 8, valueBytes: 90 },
    { entries: 40, valueBytes: 256 },
  ]);
  expect(rows.map(({ value }) => value.length >= 8192)).toContain(true);
  for (const { slot, subkey, value } of rows) {
    const fragment = readFragment(slot, subkey, value);
    expect(fragment.regionCrc).toBe(zlibCrc32(value.subarray(fragment.region, fragment.region + fragment.regionBytes)));
    for (let at = 0; at < value.length; at += at < 40 || at > value.length - 8 ? 1 : 97) {
      const flipped = Uint8Array.from(value);
      flipped[at]! ^= 1 << (at & 7);
      expect(() => readFragment(slot, subkey, flipped), `byte ${at}`).toThrow(DamagedRowError);
    }
  }
});
