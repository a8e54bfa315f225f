/** The kinds of values, by their number. A new kind is one line here, and one for its effects in value-effects.ts. */
import { UnknownRowError } from "./api.ts";
import { hashKind } from "./hash-value.ts";
import { listKind } from "./list-value.ts";
import { setKind } from "./set-value.ts";
import { sortedSetKind } from "./sorted-set-value.ts";
import { stringKind } from "./string-value.ts";
import type { ValueKindRecord } from "./value.ts";

const KINDS: readonly ValueKindRecord[] = [stringKind, hashKind, listKind, sortedSetKind, setKind];

const BY_NUMBER: ReadonlyMap<number, ValueKindRecord> = new Map(KINDS.map((record) => [record.kind, record]));

/** Throws UnknownRowError: the bytes may be whole, and of a newer program. */
export function valueKind(kind: number): ValueKindRecord {
  const record = BY_NUMBER.get(kind);
  if (record === undefined) throw new UnknownRowError(`value kind ${kind}`);
  return record;
}
