/** MOVE key db and SWAPDB a b: there is one database, so there is nowhere to move to and nothing to swap but it with itself. */
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { readDatabase } from "./database-index.ts";

export const move = defineCommand({
  name: "move",
  arity: 3,
  flags: Flag.write | Flag.fast,
  since: "1.0.0",
  group: "generic",
  summary: "Move a key to another database",
  complexity: "O(1)",
  syntax: "key db",
  categories: ["keyspace"],
  keys: keyAt(1, "RW access update"),
  execute({ request, reply }) {
    const database = readDatabase(request, 2, null);
    reply.error(typeof database === "string" ? database : Errors.sameObject);
  },
});

export const swapdb = defineCommand({
  name: "swapdb",
  arity: 3,
  flags: Flag.write | Flag.fast,
  since: "4.0.0",
  group: "server",
  summary: "Swaps two Redis databases",
  complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
  syntax: "index1 index2",
  categories: ["keyspace", "dangerous"],
  answer({ request, reply }) {
    const first = readDatabase(request, 1, Errors.invalidFirstDatabase);
    const second = readDatabase(request, 2, Errors.invalidSecondDatabase);
    // What is no number is said before what is out of range.
    const error = [first, second].find((each) => typeof each === "string" && each !== Errors.databaseOutOfRange);
    if (typeof error === "string") return reply.error(error);
    if (first !== 0 || second !== 0) return reply.error(Errors.databaseOutOfRange);
    reply.ok();
  },
});
