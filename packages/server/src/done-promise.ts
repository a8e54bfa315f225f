/** Ports complete by callback; start and stop of a process read better as promises. */
import type { Done } from "@headrace/ports";
import { StartError } from "./data-directory.ts";

/** Resolves with the value, rejects with a StartError that begins with `what`. */
export function completed<T>(what: string, begin: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    begin((result) => {
      if (result.ok) resolve(result.value);
      else reject(new StartError(what === "" ? result.message : `${what}: ${result.message}`));
    });
  });
}
