/**
 * Calls that wait in a cluster where nothing happens any more: whoever has waited longest is served first, each gets what it has alone, and nobody waits where
 * there is something.
 */
import type { SimClient } from "./sim-client.ts";
import { ErrorReply, type ReplyValue } from "./reply-value.ts";
import { GROUP } from "./workload.ts";

/** So long after everything is healed a call has come to where it waits, and one that is woken has its answer. */
export const WAITERS_PARK_MS = 3_000;

export interface QuietCluster {
  readonly asker: SimClient;
  readonly client: (name: string, firstGateway: number) => SimClient;
  /** Asks until the answer is one that is accepted. */
  readonly insist: (client: SimClient, args: readonly string[], accept: (reply: ReplyValue) => boolean) => ReplyValue;
  /** Asks once: no answer is lost any more, and none is an error. */
  readonly once: (client: SimClient, args: readonly string[]) => ReplyValue;
  readonly pass: (ms: number) => void;
  /** Of all groups: when they are others, there have been elections. */
  readonly terms: () => string;
}

/** Calls that wait on several shards are served by what comes to any of them; the group's entry is pending for who got it, and for nobody else. */
export function checkReaders(cluster: QuietCluster, streams: readonly string[]): void {
  const { asker } = cluster;
  for (const stream of streams)
    cluster.insist(
      asker,
      ["XGROUP", "CREATE", stream, GROUP, "$", "MKSTREAM"],
      (reply) => reply === "OK" || (reply instanceof ErrorReply && reply.code === "BUSYGROUP"),
    );
  const terms = cluster.terms();
  const calls = ["first", "second"].flatMap((name, i) => {
    const group = ["XREADGROUP", "GROUP", GROUP, name, "BLOCK", "0", "STREAMS", ...streams];
    const plain = ["XREAD", "BLOCK", "0", "STREAMS", ...streams];
    const caller = cluster.client(name, i);
    // Its gateway may not have met every shard since all is well again.
    for (const stream of streams) cluster.insist(caller, ["XLEN", stream], (reply) => reply === 0);
    const sent = [
      caller.send([...group, ...streams.map(() => ">")]),
      cluster.client(`${name} plain`, i).send([...plain, ...streams.map(() => "$")]),
    ];
    cluster.pass(WAITERS_PARK_MS);
    return sent;
  });
  const ids = streams.slice(0, 2).map((stream) => {
    const id = cluster.insist(asker, ["XADD", stream, "*", "p", stream], (reply) => typeof reply === "string");
    cluster.pass(WAITERS_PARK_MS);
    return id;
  });
  for (const { args, reply, open } of calls) {
    if (open || !Array.isArray(reply))
      throw new Error(`${args.join(" ")} waits although there is something: ${JSON.stringify(reply)}`);
  }
  const readers = calls.filter(({ args }) => args[0] === "XREADGROUP").map(({ args }) => args[3]!);
  const owners = streams.slice(0, 2).map((stream) => {
    const rows = cluster.insist(asker, ["XPENDING", stream, GROUP, "-", "+", "9"], Array.isArray);
    return (rows as unknown as [string, string][]).map(([id, consumer]) => `${id} ${consumer}`);
  });
  const expected = ids.map((id, i) => [`${id as string} ${readers[i]!}`]);
  const crosswise = ids.map((id, i) => [`${id as string} ${readers[1 - i]!}`]);
  if (JSON.stringify(owners) === JSON.stringify(expected)) return;
  // At a new leader they stand as they come.
  if (terms !== cluster.terms() && JSON.stringify(owners) === JSON.stringify(crosswise)) return;
  throw new Error(`served out of order: ${JSON.stringify(owners)} instead of ${JSON.stringify(expected)}`);
}

const WAITED_LIST = "lwait:{d}";
const WAITED_SET = "bwait:{b}";
/** The same for calls of one shard, whose gateway has just met it. */
const TAKERS_PARK_MS = 500;

/** Calls that take elements: they get them in the order in which they came, each from its end; who is left waits on, and is served by what comes next. */
export function checkTakers(cluster: QuietCluster): void {
  const { asker } = cluster;
  const terms = cluster.terms();
  const lists = [
    ["BLPOP", WAITED_LIST, "0"],
    ["BLMPOP", "0", "1", WAITED_LIST, "RIGHT", "COUNT", "1"],
    ["BRPOP", WAITED_LIST, "0"],
  ];
  const sets = [
    ["BZPOPMAX", WAITED_SET, "0"],
    ["BZMPOP", "0", "1", WAITED_SET, "MIN", "COUNT", "1"],
    ["BZPOPMIN", WAITED_SET, "0"],
  ];
  // What comes is nothing for it, and who stands behind it does not have to wait for it.
  const bystander = cluster.client("bystander", 0);
  cluster.insist(bystander, ["ZCARD", WAITED_SET], (reply) => reply === 0);
  const inVain = bystander.send(["BLPOP", WAITED_SET, "0"]);
  cluster.pass(TAKERS_PARK_MS);
  const calls = lists.map((onList, i) => {
    const both = [onList, sets[i]!].map((args, kind) => {
      const caller = cluster.client(`taker ${i} ${kind}`, i);
      // Its gateway may not have met every shard since all is well again.
      cluster.insist(
        caller,
        [kind === 0 ? "LLEN" : "ZCARD", args.find((word) => word.includes("wait"))!],
        (reply) => reply === 0,
      );
      return caller.send(args);
    });
    cluster.pass(TAKERS_PARK_MS);
    return both;
  });
  const give = (elements: readonly string[]): void => {
    const scored = elements.flatMap((element, i) => [String(i), element]);
    for (const request of [
      ["RPUSH", WAITED_LIST, ...elements],
      ["ZADD", WAITED_SET, ...scored],
    ])
      if (cluster.once(asker, request) !== elements.length) throw new Error(`${request.join(" ")} met others`);
    cluster.pass(TAKERS_PARK_MS);
  };
  const given = (kind: number): readonly string[] => calls.map((call) => elementOf(call[kind]!.reply));
  give(["first", "second"]);
  const early = [given(0), given(1)];
  give(["third"]);
  if (!inVain.open) throw new Error(`a call for a list was served by a sorted set: ${JSON.stringify(inVain.reply)}`);
  const late = [given(0), given(1)];
  if (terms !== cluster.terms()) return checkAll(late);
  const expected = [
    ["first", "second", ""],
    ["second", "first", ""],
  ];
  if (JSON.stringify(early) !== JSON.stringify(expected))
    throw new Error(`taken out of order: ${JSON.stringify(early)} instead of ${JSON.stringify(expected)}`);
  checkAll(late);
}

/** At a new leader they stand as they come, but each gets one. */
function checkAll(given: readonly (readonly string[])[]): void {
  for (const elements of given)
    if (elements.toSorted().join(" ") !== "first second third")
      throw new Error(`of three that waited for three elements these were given: ${JSON.stringify(elements)}`);
}

/** What a call was given; empty: it waits. */
function elementOf(reply: ReplyValue | undefined): string {
  if (!Array.isArray(reply)) return reply === undefined ? "" : JSON.stringify(reply);
  return [reply[1]].flat(3)[0] as string;
}
