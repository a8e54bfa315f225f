/** Looks for the stream that a command is about. Counts as a use. */
import { assert } from "@headrace/bytes";
import type { Keyspace, StreamKeyView } from "@headrace/engine";
import { Errors } from "../errors.ts";

/** Null: the key is free. A string: the error text, the key holds something else. */
export function findStream(keyspace: Keyspace, key: string): StreamKeyView | null | string {
  const found = keyspace.find(key);
  return found === null || found.stream !== null ? found : Errors.wrongType;
}

/** Of a key that holds a stream. */
export function existingStream(keyspace: Keyspace, key: string): StreamKeyView {
  const found = keyspace.find(key);
  assert(found !== null && found.stream !== null, "the key holds no stream");
  return found;
}
