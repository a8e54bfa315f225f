/**
 * Values made smaller with zstd, each a frame of its own with its length and a checksum of the content in it, so that one value is read without
 * its neighbours. A value of a block's size is compressed and read on this thread, with a turn of the event loop between two: handing it to the
 * thread pool costs this very thread more (bench/results/value-compression.txt). Larger ones go to the pool, one at a time.
 */
import { promisify } from "node:util";
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { DamagedValue } from "./damaged-value.ts";
import type { ValuePointer } from "./value-row.ts";

/** Kept only when at most so much is left: each later read pays for it. */
const WORTH_PART = 3 / 4;
/** Higher levels make blocks of entries no smaller and cost more. */
const LEVEL = 1;
/** Larger values are for the pool. Compressing as much takes about 0.3 ms. */
const BYTES_AT_ONCE_MAX = 64 * 1024;
/** Read between two turns of the event loop: about half a millisecond. */
const BYTES_PER_TURN = 256 * 1024;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Null: it does not get clearly smaller. */
export async function compressed(value: Uint8Array): Promise<Uint8Array | null> {
  const options = {
    // One piece of output: each further one is a trip to the pool and back.
    chunkSize: chunkFor(value.length),
    pledgedSrcSize: value.length,
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  };
  const isSmall = value.length <= BYTES_AT_ONCE_MAX;
  if (isSmall) await nextTurn();
  const frame = isSmall ? zstdCompressSync(value, options) : await compress(value, options);
  return frame.length <= value.length * WORTH_PART ? frame : null;
}

/** The values that `stored` has, in the same order; what was put as it was is not copied. Throws DamagedValue. */
export async function originals(
  pointers: readonly ValuePointer[],
  stored: readonly Uint8Array[],
): Promise<readonly Uint8Array[]> {
  const values = stored.slice();
  let bytes = 0;
  for (const [i, pointer] of pointers.entries()) {
    if (!pointer.isCompressed) continue;
    if (pointer.valueBytes > BYTES_AT_ONCE_MAX) {
      values[i] = await inPool(pointer, stored[i]!);
      continue;
    }
    values[i] = originalNow(pointer, stored[i]!);
    bytes += pointer.valueBytes;
    if (bytes < BYTES_PER_TURN) continue;
    bytes = 0;
    await nextTurn();
  }
  return values;
}

/** One value, on this thread. Throws DamagedValue. */
export function originalNow(pointer: ValuePointer, stored: Uint8Array): Uint8Array {
  if (!pointer.isCompressed) return stored;
  try {
    return ofLength(pointer, zstdDecompressSync(stored, optionsFor(pointer)));
  } catch (error) {
    throw asDamage(pointer, error);
  }
}

async function inPool(pointer: ValuePointer, stored: Uint8Array): Promise<Uint8Array> {
  try {
    return ofLength(pointer, await decompress(stored, optionsFor(pointer)));
  } catch (error) {
    throw asDamage(pointer, error);
  }
}

function optionsFor({ valueBytes }: ValuePointer): { readonly chunkSize: number; readonly maxOutputLength: number } {
  return { chunkSize: chunkFor(valueBytes), maxOutputLength: valueBytes };
}

/** A little more than what comes out: a chunk that is filled exactly asks for another. */
function chunkFor(bytes: number): number {
  return bytes + 1024;
}

function ofLength(pointer: ValuePointer, value: Uint8Array): Uint8Array {
  if (value.length === pointer.valueBytes) return value;
  throw new Error(`${value.length} bytes instead of ${pointer.valueBytes}`);
}

function asDamage({ file, offset }: ValuePointer, error: unknown): DamagedValue {
  return new DamagedValue(`the compressed value at ${file}:${offset} is damaged: ${(error as Error).message}`);
}

function nextTurn(): Promise<void> {
  return new Promise((resume) => {
    setImmediate(resume);
  });
}
