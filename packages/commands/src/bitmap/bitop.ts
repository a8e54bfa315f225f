/** BITOP AND | OR | XOR | NOT destkey key …: strings that end earlier are followed by zeros. Source: bitops.c bitopCommand. */
import { NEVER } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keysFrom } from "../record.ts";
import { effectBytes } from "../stream/effect-room.ts";
import { findString } from "../string/find-string.ts";

type Combine = (a: number, b: number) => number;

const NOT = "NOT";
const COMBINES: readonly (readonly [word: string, combine: Combine])[] = [
  ["AND", (a, b) => a & b],
  ["OR", (a, b) => a | b],
  ["XOR", (a, b) => a ^ b],
];

function readOperation(request: Request): Combine | typeof NOT | null {
  if (request.is(1, NOT)) return NOT;
  return COMBINES.find(([word]) => request.is(1, word))?.[1] ?? null;
}

function combined(sources: readonly Uint8Array[], operation: Combine | typeof NOT): Uint8Array {
  const length = sources.reduce((longest, bytes) => Math.max(longest, bytes.length), 0);
  const result = new Uint8Array(length);
  result.set(sources[0]!);
  if (operation === NOT) {
    for (let at = 0; at < length; at++) result[at] = ~result[at]!;
    return result;
  }
  for (const bytes of sources.slice(1)) {
    const shared = bytes.length;
    for (let at = 0; at < shared; at++) result[at] = operation(result[at]!, bytes[at]!);
    for (let at = shared; at < length; at++) result[at] = operation(result[at]!, 0);
  }
  return result;
}

export const bitop = defineCommand({
  name: "bitop",
  arity: -4,
  flags: Flag.write | Flag.denyoom,
  since: "2.6.0",
  group: "bitmap",
  summary: "Perform bitwise operations between strings",
  complexity: "O(N)",
  syntax: "operation destkey key [key ...]",
  argumentTypes: { destkey: "key" },
  categories: ["bitmap"],
  keys: { ...keysFrom(2, "OW update"), targetAccess: ["RO", "access"] },
  execute({ request, reply, keyspace, effects, effectRoomBytes }) {
    const operation = readOperation(request);
    if (operation === null) return reply.error(Errors.syntax);
    if (operation === NOT && request.count !== 4) return reply.error(Errors.bitopNot);
    const sources: Uint8Array[] = [];
    for (let i = 3; i < request.count; i++) {
      const value = findString(keyspace, request.latin1(i));
      if (typeof value === "string") return reply.error(value);
      sources.push(value === null ? new Uint8Array(0) : value.bytes.subarray(0, value.length));
    }
    const target = request.latin1(2);
    const found = keyspace.find(target);
    const result = combined(sources, operation);
    if (effectBytes(1, target) + result.length > effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
    if (result.length > 0) effects.values.strings.set(target, result, 0, result.length, NEVER, false);
    else if (found !== null) effects.deleteKey(target);
    reply.integer(result.length);
  },
});
