/**
 * What simulated clients do with groups that hand out again what was not acknowledged: plain reads, and acknowledgements of some of it. What they may see,
 * checkers/redelivery.ts says.
 */
import type { Entry } from "./checkers/reading.ts";
import type { RedeliveryView } from "./checkers/redelivery.ts";
import type { ReplyValue } from "./reply-value.ts";
import type { SeededRandom } from "./seeded-random.ts";

export const REDELIVERED: readonly string[] = ["q:{b}", "q:{d}"];
const GROUP = "g";
/** Settings that clients change between: all hand out again before the reader at the end has given up. */
const RETRIES: readonly string[] = ["MIN-IDLE 40", "MIN-IDLE 20 BACKOFF 2 MAX 300", "MIN-IDLE 100 BACKOFF 1.5 MAX 200"];
/** Shorter than some stay away. */
const CONSUMER_IDLE_MS = "700";
/** What it waits for the last one: MAX, and what clocks of leaders may be apart. */
const DRAIN_MS = 3000;

export const redeliveryPreparations: readonly (readonly string[])[] = REDELIVERED.flatMap((stream) => [
  ["XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM"],
  ["XGROUP", "SETRETRY", stream, GROUP, ...RETRIES[0]!.split(" ")],
  ["XGROUP", "SETIDLE", stream, GROUP, CONSUMER_IDLE_MS],
]);

/** `mine`: what this consumer was given and has not acknowledged; ids are taken out of it. */
export function redeliveryRequest(
  random: SeededRandom,
  name: string,
  stream: string,
  mine: string[],
): readonly string[] | null {
  const kind = random.below(20);
  if (kind < 10) {
    const options = random.chance(1, 3) ? ["BLOCK", random.pick(["20", "60", "200"])] : [];
    if (random.chance(1, 8)) options.push("MAXSIZE", String(random.between(1, 200)));
    const streams = random.chance(1, 4) ? REDELIVERED : [stream];
    const count = ["COUNT", String(random.between(1, 4))];
    return ["XREADGROUP", "GROUP", GROUP, name, ...count, ...options, "STREAMS", ...streams, ...streams.map(() => ">")];
  }
  if (kind < 11) return ["XGROUP", "SETRETRY", stream, GROUP, ...random.pick(RETRIES).split(" ")];
  if (kind < 12) {
    mine.length = 0;
    return ["XGROUP", "DELCONSUMER", stream, GROUP, name, "HANDBACK"];
  }
  if (mine.length === 0) return null;
  // An id that was given to it twice stands here twice.
  const ids = [...new Set(mine.splice(0, random.between(1, 4)))];
  if (kind < 14) return ["XNACK", stream, GROUP, random.pick(["SILENT", "FAIL"]), "IDS", String(ids.length), ...ids];
  return ["XACK", stream, GROUP, ...ids];
}

/** Reads and acknowledges all that is ever handed out. `ask`: a request whose answer is not lost. */
export function drainRedelivered(
  ask: (args: readonly string[]) => ReplyValue,
  reader: string,
): ReadonlyMap<string, RedeliveryView> {
  const drained = new Map<string, string[]>(REDELIVERED.map((stream) => [stream, []]));
  const read = ["XREADGROUP", "GROUP", GROUP, reader, "COUNT", "100", "BLOCK", String(DRAIN_MS), "STREAMS"];
  for (;;) {
    const reply = ask([...read, ...REDELIVERED, ...REDELIVERED.map(() => ">")]);
    if (reply === null) break;
    for (const [stream, entries] of reply as unknown as readonly (readonly [string, readonly Entry[]])[]) {
      const ids = entries.map(([id]) => id);
      drained.get(stream)!.push(...ids);
      ask(["XACK", stream, GROUP, ...ids]);
    }
  }
  return new Map(
    REDELIVERED.map((stream) => {
      const [pendingCount] = ask(["XPENDING", stream, GROUP]) as unknown as [number];
      const entries = ask(["XRANGE", stream, "-", "+"]) as unknown as readonly Entry[];
      return [stream, { entries, drained: drained.get(stream)!, pendingCount }];
    }),
  );
}
