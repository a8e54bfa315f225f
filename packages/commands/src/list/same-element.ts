import type { Request } from "@headrace/resp";

/** Whether bytes[start, end) are argument `i`. */
export function isElement(request: Request, i: number, bytes: Uint8Array, start: number, end: number): boolean {
  let at = request.start(i);
  if (end - start !== request.end(i) - at) return false;
  const given = request.bytes;
  while (start < end) if (bytes[start++] !== given[at++]) return false;
  return true;
}
