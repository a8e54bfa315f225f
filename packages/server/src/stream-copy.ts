/**
 * Copies one stream from a Redis into a cluster, through a gateway.
 *
 *   small    DUMP ─► RESTORE: everything, at one moment
 *   large    entries in pieces (XRANGE ─► a transaction of XADDs), then groups, consumers and pending entries (XGROUP, XCLAIM), then counters (XSETID)
 *            and the time to live. A piece is there or not, so a copy that was cut short goes on behind the target's last entry
 *
 * Pending entries whose entry was deleted: XCLAIM makes none of these. So an entry stands in for each while its stream is copied, and is deleted when
 * it has been claimed. Must not know: which keys there are, what was copied before.
 */
import { copyByDump, DUMP_BYTES_MAX, retried, type CopyOptions } from "./dump-copy.ts";
import { expiryMs, keyBytes, listOf, orThrow } from "./key-facts.ts";
import { RedisError, type RedisClient, type Reply } from "./redis-client.ts";
import {
  behind,
  compareIds,
  exactPending,
  pendingEntries,
  streamFacts,
  type PendingLists,
  type StreamFacts,
} from "./stream-facts.ts";

const PIECE_BYTES = 1024 * 1024;
const PIECE_ENTRIES_MAX = 2000;
const FIRST_PIECE_ENTRIES = 100;
const CLAIMS_PIECE = 500;
/** A stream that is written to is followed so often; then its copy ends where it is. */
const ROUNDS = 3;

export interface CopiedStream {
  readonly entries: number;
  readonly bytes: number;
  /** What the source said when all was copied; differing later: it was written to. */
  readonly facts: StreamFacts;
}

/** Null: the key is gone at the source. Throws RedisError where the target refuses, ConnectionLost. */
export async function copyStream(options: CopyOptions): Promise<CopiedStream | null> {
  const { source, key, dumpBytesMax = DUMP_BYTES_MAX } = options;
  const bytes = await keyBytes(source, key);
  if (bytes === null) return null;
  if (!options.isBegun && bytes <= dumpBytesMax) {
    const facts = await streamFacts(source, key);
    const dumped = await copyByDump(options);
    if (facts === null || dumped === null) return null;
    if (dumped !== "refused") return { entries: facts.length, bytes: dumped, facts };
  }
  return new PieceCopy(options, bytes).run();
}

class PieceCopy {
  readonly #options: CopyOptions;
  #entries: number = 0;
  #bytes: number = 0;
  #pieceEntries: number = FIRST_PIECE_ENTRIES;
  readonly #streamBytes: number;

  constructor(options: CopyOptions, streamBytesAtStart: number) {
    this.#options = options;
    this.#streamBytes = streamBytesAtStart;
  }

  async run(): Promise<CopiedStream | null> {
    const { source, target, key, isBegun, mayReplace } = this.#options;
    if (mayReplace && !isBegun) await retried(() => target.call("DEL", key));
    for (let round = 1; ; round++) {
      const before = await streamFacts(source, key);
      if (before === null) return null;
      const lists = await exactPending(source, key, before, this.#streamBytes);
      const orphans = await this.#orphans(before, lists);
      if (!(await this.#makeRoomFor(orphans))) continue;
      await this.#copyEntries(before.lastId, orphans);
      await this.#copyGroups(before, lists);
      await this.#settle(before, orphans);
      const after = await streamFacts(source, key);
      if (JSON.stringify(after) === JSON.stringify(before) || round >= ROUNDS) {
        return { entries: this.#entries, bytes: this.#bytes, facts: before };
      }
    }
  }

  /** Ids that are pending and whose entries are gone, ascending. */
  async #orphans(facts: StreamFacts, lists: PendingLists | null): Promise<readonly string[]> {
    const { source, key } = this.#options;
    const pending = new Set<string>();
    for (const { name } of facts.groups) {
      for await (const { id } of pendingEntries(source, key, name, lists)) pending.add(id);
    }
    const orphans: string[] = [];
    const ids = [...pending].toSorted(compareIds);
    for (let i = 0; i < ids.length; i += CLAIMS_PIECE) {
      const piece = ids.slice(i, i + CLAIMS_PIECE);
      const found = await source.pipeline(piece.map((id) => ["XRANGE", key, id, id]));
      piece.forEach((id, n) => {
        if (listOf(orThrow(found[n]!)).length === 0) orphans.push(id);
      });
    }
    return orphans;
  }

  /** Stand-ins can be added only behind what is there: a copy that lacks one below its end is begun anew. False: it was. */
  async #makeRoomFor(orphans: readonly string[]): Promise<boolean> {
    const { target, key } = this.#options;
    const facts = await streamFacts(target, key);
    if (facts === null) return true;
    const below = orphans.filter((id) => compareIds(id, facts.lastId) <= 0);
    if (below.length === 0) return true;
    const found = await target.pipeline(below.map((id) => ["XRANGE", key, id, id]));
    if (found.every((reply) => listOf(orThrow(reply)).length > 0)) return true;
    await retried(() => target.call("DEL", key));
    return false;
  }

  async #copyEntries(lastId: string, orphans: readonly string[]): Promise<void> {
    const { source, target, key } = this.#options;
    const isEmpty = (await streamFacts(target, key)) === null;
    if (isEmpty) {
      // So that the key is there even if nothing is in it.
      await retried(async () => {
        await groupCreated(target, key, "headrace-import", "0", null);
        await target.call("XGROUP", "DESTROY", key, "headrace-import");
      });
    }
    let afterId = await this.#topId();
    const standIns = orphans.filter((id) => compareIds(id, afterId) > 0);
    let nextStandIn = 0;
    for (let isLast = false; !isLast;) {
      const range = ["XRANGE", key, behind(afterId), lastId, "COUNT", String(this.#pieceEntries)];
      const rows = compareIds(afterId, lastId) < 0 ? listOf(await source.call(...range)) : [];
      isLast = rows.length < this.#pieceEntries;
      const upTo = isLast ? lastId : String(listOf(rows.at(-1)!)[0]);
      const adds: { readonly id: string; readonly words: readonly string[] }[] = [];
      let bytes = 0;
      for (const row of rows) {
        const [id, fields] = listOf(row) as [Reply, Reply];
        const words = listOf(fields).map(String);
        for (const word of words) bytes += word.length;
        adds.push({ id: String(id), words });
      }
      for (; nextStandIn < standIns.length && compareIds(standIns[nextStandIn]!, upTo) <= 0; nextStandIn++) {
        adds.push({ id: standIns[nextStandIn]!, words: ["", ""] });
      }
      adds.sort((a, b) => compareIds(a.id, b.id));
      afterId = await this.#add(adds, afterId);
      this.#entries += rows.length;
      this.#bytes += bytes;
      this.#options.onBytes(bytes);
      const wanted =
        rows.length === 0 ? this.#pieceEntries : Math.floor((PIECE_BYTES * rows.length) / Math.max(bytes, 1));
      this.#pieceEntries = Math.max(1, Math.min(PIECE_ENTRIES_MAX, wanted));
      if (compareIds(afterId, upTo) < 0) afterId = upTo;
    }
  }

  /** One transaction: all of them are there, or none. Answers the last id. */
  async #add(
    adds: readonly { readonly id: string; readonly words: readonly string[] }[],
    afterId: string,
  ): Promise<string> {
    const { target, key } = this.#options;
    if (adds.length === 0) return afterId;
    const lastId = adds.at(-1)!.id;
    await retried(async (isRepeated) => {
      if (isRepeated && compareIds(await this.#topId(), lastId) >= 0) return;
      const requests = adds.map(({ id, words }) => ["XADD", key, id, ...words]);
      const replies = await target.pipeline([["MULTI"], ...requests, ["EXEC"]]);
      for (const reply of listOf(orThrow(replies.at(-1)!))) orThrow(reply);
    });
    return lastId;
  }

  /** Of the entries that are there; stand-ins too. */
  async #topId(): Promise<string> {
    const { target, key } = this.#options;
    const top = listOf(await retried(() => target.call("XREVRANGE", key, "+", "-", "COUNT", 1)));
    return top.length === 0 ? "0-0" : String(listOf(top[0]!)[0]);
  }

  /** Anew: who was cut short, or is followed, may have other groups than before. */
  async #copyGroups(facts: StreamFacts, lists: PendingLists | null): Promise<void> {
    const { source, target, key } = this.#options;
    const known = await retried(() => streamFacts(target, key));
    for (const { name } of known?.groups ?? []) await retried(() => target.call("XGROUP", "DESTROY", key, name));
    for (const group of facts.groups) {
      await retried(() => groupCreated(target, key, group.name, group.lastDeliveredId, group.entriesRead));
      const consumers = group.consumers.map((name) => ["XGROUP", "CREATECONSUMER", key, group.name, name]);
      await this.#all(consumers);
      let claims: string[][] = [];
      for await (const entry of pendingEntries(source, key, group.name, lists)) {
        const { id, consumer, deliveredMs, deliveries } = entry;
        const how = ["TIME", String(deliveredMs), "RETRYCOUNT", String(deliveries), "FORCE", "JUSTID"];
        claims.push(["XCLAIM", key, group.name, consumer, "0", id, ...how]);
        if (claims.length < CLAIMS_PIECE) continue;
        await this.#all(claims);
        claims = [];
      }
      await this.#all(claims);
    }
  }

  /** What pending entries needed goes, and the counters become what they are at the source. */
  async #settle(facts: StreamFacts, orphans: readonly string[]): Promise<void> {
    const { source, target, key } = this.#options;
    await this.#removeStandIns(orphans);
    const counters = [
      ...(facts.entriesAdded === null ? [] : ["ENTRIESADDED", String(facts.entriesAdded)]),
      ...(facts.maxDeletedId === null ? [] : ["MAXDELETEDID", facts.maxDeletedId]),
    ];
    await retried(() => target.call("XSETID", key, facts.lastId, ...counters));
    const expiry = await expiryMs(source, key);
    if (expiry >= 0) await retried(() => target.call("PEXPIREAT", key, expiry));
  }

  /** Those in front of the first entry by a trim, as they probably went at the source: deleting them would raise the largest deleted id. */
  async #removeStandIns(orphans: readonly string[]): Promise<void> {
    const { source, target, key } = this.#options;
    if (orphans.length === 0) return;
    const first = listOf(await source.call("XRANGE", key, "-", "+", "COUNT", 1));
    const firstId = first.length === 0 ? null : String(listOf(first[0]!)[0]);
    const trim = firstId === null ? ["MAXLEN", "0"] : ["MINID", firstId];
    const between = firstId === null ? [] : orphans.filter((id) => compareIds(id, firstId) > 0);
    await retried(() => target.call("XTRIM", key, ...trim));
    for (let i = 0; i < between.length; i += CLAIMS_PIECE) {
      await retried(() => target.call("XDEL", key, ...between.slice(i, i + CLAIMS_PIECE)));
    }
  }

  async #all(requests: readonly (readonly string[])[]): Promise<void> {
    const { target } = this.#options;
    if (requests.length === 0) return;
    await retried(async () => {
      for (const reply of await target.pipeline(requests)) orThrow(reply);
    });
  }
}

async function groupCreated(
  target: RedisClient,
  key: string,
  name: string,
  lastId: string,
  entriesRead: number | null,
): Promise<void> {
  const read = entriesRead === null ? [] : ["ENTRIESREAD", String(entriesRead)];
  try {
    await target.call("XGROUP", "CREATE", key, name, lastId, "MKSTREAM", ...read);
  } catch (error) {
    // Of an attempt whose reply was lost.
    if (!(error instanceof RedisError && error.code === "BUSYGROUP")) throw error;
  }
}
