/**
 * Configuration changes as the bytes of a log entry.
 *
 *   v1:  type u8 · replica u32 low, u32 high · context …
 *   v2:  transition u8 · count u16 · count × (type u8 · replica u32 low, u32 high) · context …
 *
 * Little-endian. Empty bytes are the v2 change that leaves a joint configuration. The context is the caller's own (an address, say). Bytes
 * that do not fit this drawing were never written by us: an assertion, not a refusal.
 */
import { assert } from "./invariants.ts";

export const ConfChangeType = { addNode: 0, removeNode: 1, updateNode: 2, addLearnerNode: 3 } as const;
export type ConfChangeType = (typeof ConfChangeType)[keyof typeof ConfChangeType];

/** auto: joint only when more than one change; jointImplicit: joint, left by itself; jointExplicit: joint until told. */
export const ConfChangeTransition = { auto: 0, jointImplicit: 1, jointExplicit: 2 } as const;
export type ConfChangeTransition = (typeof ConfChangeTransition)[keyof typeof ConfChangeTransition];

export interface ConfChangeSingle {
  readonly type: ConfChangeType;
  readonly replica: number;
}

export interface ConfChange {
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  readonly context: Uint8Array;
}

const noBytes = new Uint8Array(0);
const SINGLE_BYTES = 9;

export function encodeConfChangeV1(change: ConfChangeSingle, context: Uint8Array = noBytes): Uint8Array {
  const bytes = new Uint8Array(SINGLE_BYTES + context.length);
  writeSingle(bytes, 0, change);
  bytes.set(context, SINGLE_BYTES);
  return bytes;
}

export function encodeConfChangeV2(change: {
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  readonly context?: Uint8Array;
}): Uint8Array {
  const context = change.context ?? noBytes;
  const bytes = new Uint8Array(3 + change.changes.length * SINGLE_BYTES + context.length);
  bytes[0] = change.transition;
  bytes[1] = change.changes.length & 255;
  bytes[2] = change.changes.length >>> 8;
  let at = 3;
  for (const single of change.changes) {
    writeSingle(bytes, at, single);
    at += SINGLE_BYTES;
  }
  bytes.set(context, at);
  return bytes;
}

/** A v1 change reads as a v2 change with one part and automatic transition. */
export function decodeConfChange(data: Uint8Array, isV2: boolean): ConfChange {
  if (!isV2) {
    assert(data.length >= SINGLE_BYTES, "configuration change too short");
    return {
      transition: ConfChangeTransition.auto,
      changes: [readSingle(data, 0)],
      context: data.subarray(SINGLE_BYTES),
    };
  }
  if (data.length === 0) return { transition: ConfChangeTransition.auto, changes: [], context: noBytes };
  assert(data.length >= 3, "configuration change too short");
  const count = data[1]! | (data[2]! << 8);
  const end = 3 + count * SINGLE_BYTES;
  assert(data.length >= end, "configuration change too short");
  const changes: ConfChangeSingle[] = [];
  for (let at = 3; at < end; at += SINGLE_BYTES) changes.push(readSingle(data, at));
  const transition = data[0]!;
  assert(
    transition === ConfChangeTransition.auto ||
      transition === ConfChangeTransition.jointImplicit ||
      transition === ConfChangeTransition.jointExplicit,
    "unknown transition of a configuration change",
  );
  return { transition, changes, context: data.subarray(end) };
}

function writeSingle(bytes: Uint8Array, at: number, single: ConfChangeSingle): void {
  assert(Number.isSafeInteger(single.replica) && single.replica >= 0, "replica id out of range");
  bytes[at] = single.type;
  let low = single.replica % 4294967296;
  let high = Math.floor(single.replica / 4294967296);
  for (let i = 1; i <= 4; i++) {
    bytes[at + i] = low & 255;
    bytes[at + 4 + i] = high & 255;
    low = Math.floor(low / 256);
    high = Math.floor(high / 256);
  }
}

function readSingle(bytes: Uint8Array, at: number): ConfChangeSingle {
  let replica = 0;
  for (let i = 8; i >= 1; i--) replica = replica * 256 + bytes[at + i]!;
  assert(Number.isSafeInteger(replica), "replica id out of range");
  const type = bytes[at]!;
  assert(
    type === ConfChangeType.addNode ||
      type === ConfChangeType.removeNode ||
      type === ConfChangeType.updateNode ||
      type === ConfChangeType.addLearnerNode,
    "unknown type of a configuration change",
  );
  return { type, replica };
}
