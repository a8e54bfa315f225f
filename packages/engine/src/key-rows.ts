/** The rows of a key, whatever it holds. */
import type { StateRow } from "./api.ts";
import { removeStreamRows } from "./state-rows.ts";
import type { AnyKey } from "./stored-key.ts";
import { removeValueRows } from "./value-rows.ts";

/** Adds the removal of everything that the store has of a key. */
export function removeKeyRows(rows: StateRow[], key: AnyKey): void {
  if (!key.persisted) return;
  if (key.stream === null) removeValueRows(rows, key);
  else removeStreamRows(rows, key);
}
