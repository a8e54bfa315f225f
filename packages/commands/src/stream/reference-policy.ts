/** KEEPREF | DELREF | ACKED: what becomes of what consumer groups still refer to, when entries are removed. */
import { ReferencePolicy } from "@headrace/engine";
import type { Request } from "@headrace/resp";

/** The policy that argument i names, or null. */
export function readReferencePolicy(request: Request, i: number): ReferencePolicy | null {
  if (request.is(i, "KEEPREF")) return ReferencePolicy.keep;
  if (request.is(i, "DELREF")) return ReferencePolicy.drop;
  return request.is(i, "ACKED") ? ReferencePolicy.acknowledged : null;
}
