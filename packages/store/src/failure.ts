/** What goes wrong inside promises, as the port's typed failures. */
import type { Done, Failure } from "@headrace/ports";

/** Hands the promise's outcome on, outside of any promise: what `done` throws must end the process, not become a rejection. */
export function settle<T>(promise: Promise<T>, done: Done<T>): void {
  promise.then(
    (value) => setImmediate(done, { ok: true, value }),
    (error: unknown) => setImmediate(done, failureOf(error)),
  );
}

export function failureOf(error: unknown): Failure {
  const { code, message, cause, reason } = error as {
    code?: string;
    reason?: Failure["reason"];
    message: string;
    cause?: { code?: string; message: string };
  };
  // An error of this room says what it is.
  if (reason !== undefined) return { ok: false, reason, message };
  const text = cause === undefined ? message : `${message}: ${cause.message}`;
  // A failed opening comes as LEVEL_DATABASE_NOT_OPEN around the cause that counts.
  const decisive = cause?.code ?? code;
  if (decisive === "LEVEL_CORRUPTION") return { ok: false, reason: "corrupt", message: text };
  if (code === "ENOSPC" || code === "EDQUOT" || /no space left|quota/i.test(text))
    return { ok: false, reason: "space", message: text };
  if (decisive === "LEVEL_DATABASE_NOT_OPEN") return { ok: false, reason: "closed", message: text };
  return { ok: false, reason: "io", message: text };
}
