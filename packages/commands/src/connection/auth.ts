/** AUTH [username] password: there are no users yet, only Redis' `default` without a password. */
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";

export const auth = defineCommand({
  name: "auth",
  arity: -2,
  flags: Flag.noscript | Flag.loading | Flag.stale | Flag.fast | Flag.noAuth | Flag.allowBusy,
  since: "1.0.0",
  group: "connection",
  summary: "Authenticate to the server",
  complexity: "O(N) where N is the number of passwords defined for the user",
  syntax: "[username] password",
  categories: ["connection"],
  answer({ request, reply }) {
    if (request.count > 3) return reply.error(Errors.syntax);
    if (request.count === 2) return reply.error(Errors.authWithoutPassword);
    if (!isDefaultUser(request, 1)) return reply.error(Errors.wrongPass);
    reply.ok();
  },
});

/** The only user. */
export const DEFAULT_USER = "default";

/** Redis' default user has `nopass`: it takes any password. */
export function isDefaultUser(request: Request, i: number): boolean {
  return request.latin1(i) === DEFAULT_USER;
}
