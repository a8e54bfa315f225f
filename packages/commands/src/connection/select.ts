/** SELECT 0: there is one database. */
import { Flag } from "../command.ts";
import { readDatabase } from "../key/database-index.ts";
import { defineCommand } from "../record.ts";

export const select = defineCommand({
  name: "select",
  arity: 2,
  flags: Flag.loading | Flag.stale | Flag.fast,
  since: "1.0.0",
  group: "connection",
  summary: "Change the selected database for the current connection",
  complexity: "O(1)",
  syntax: "index",
  categories: ["connection"],
  answer({ request, reply }) {
    const database = readDatabase(request, 1, null);
    if (typeof database === "string") reply.error(database);
    else reply.ok();
  },
});
