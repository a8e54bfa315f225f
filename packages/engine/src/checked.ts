/** Bytes of a stored row that end early are damage. */
import { TruncatedError } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";

export function checked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof TruncatedError) throw new DamagedRowError(error.message);
    throw error;
  }
}
