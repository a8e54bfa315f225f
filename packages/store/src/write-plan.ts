/**
 * What one synced write has to do: each key once, with its last change, and the large values apart. Values are taken by reference, keys are
 * copied behind their kind.
 */
import { latin1 } from "@headrace/bytes";
import type { KvChange } from "@headrace/ports";
import { rowKey } from "./value-row.ts";

export class WritePlan {
  /** Keys of LevelDB. Small values and deletions: `smallValues[i]` belongs to `smallKeys[i]`. */
  readonly smallKeys: Uint8Array[] = [];
  readonly smallValues: (Uint8Array | null)[] = [];
  readonly largeKeys: Uint8Array[] = [];
  readonly largeValues: Uint8Array[] = [];
  largeBytes = 0;

  get isEmpty(): boolean {
    return this.smallKeys.length + this.largeKeys.length === 0;
  }

  addSmall(key: Uint8Array, value: Uint8Array | null): void {
    this.smallKeys.push(key);
    this.smallValues.push(value);
  }

  addLarge(key: Uint8Array, value: Uint8Array): void {
    this.largeKeys.push(key);
    this.largeValues.push(value);
    this.largeBytes += value.length;
  }
}

/** `batches` in the order in which they were asked for; values of `largeBytesMin` and more are large. */
export function planWrite(batches: readonly (readonly KvChange[])[], largeBytesMin: number): WritePlan {
  const last = new Map<string, KvChange>();
  for (const changes of batches) {
    for (const change of changes) last.set(latin1(change.key, 0, change.key.length), change);
  }
  const plan = new WritePlan();
  for (const { key, value } of last.values()) {
    if (value !== null && value.length >= largeBytesMin) plan.addLarge(rowKey(key), value);
    else plan.addSmall(rowKey(key), value);
  }
  return plan;
}
