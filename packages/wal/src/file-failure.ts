/** What the operating system says, as the port's reasons. */
import type { Failure, FailureReason } from "@headrace/ports";

export function failureOf(error: NodeJS.ErrnoException): Failure {
  return { ok: false, reason: reasonOf(error.code), message: error.message };
}

function reasonOf(code: string | undefined): FailureReason {
  if (code === "ENOSPC" || code === "EDQUOT") return "space";
  return code === "ENOENT" ? "missing" : "io";
}
