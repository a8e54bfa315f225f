import type { Failure } from "@headrace/ports";

/** A value is not as it was written. */
export class DamagedValue extends Error {
  readonly reason: Failure["reason"] = "corrupt";
}
