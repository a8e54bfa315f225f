/**
 * `headrace import redis://…`: copies the streams of a running Redis into a running cluster, and compares them at the end. Nothing changes at the source.
 *
 *   each key of SCAN: a stream? ─► copied already ─► there already, and the same ─► copied; there, and other: left alone, or replaced when told
 *   at the end        each stream compared with its copy; one that differs and was written to since is no mistake, and named
 *
 * Exit codes: 0 all streams are in the target and the same, or were written to meanwhile; 1 not; 2 wrong usage.
 */
import { byteSize } from "@headrace/cli";
import { UsageError } from "./configuration.ts";
import { factsDigest, ImportJournal, JournalError } from "./import-journal.ts";
import { Progress } from "./progress.ts";
import {
  ConnectionLost,
  latin1Of,
  parseRedisUrl,
  RedisClient,
  RedisError,
  shownAddress,
  type RedisAddress,
} from "./redis-client.ts";
import { streamDifference } from "./stream-compare.ts";
import { copyStream } from "./stream-copy.ts";
import { listOf, orThrow, streamFacts } from "./stream-facts.ts";

/** Streams that are copied, or compared, at once. */
const AT_ONCE = 8;
const SCAN_COUNT = 500;
/** Names shown of what was not copied, of each kind. */
const SHOWN_NAMES = 5;
const SHOWN_PROBLEMS = 100;

export interface ImportOptions {
  readonly to: string;
  readonly match?: string;
  readonly replace?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly state?: string;
  /** Largest stream that is copied by DUMP, bytes. */
  readonly dumpMax?: string;
}

/** What became of the streams, by key count. */
interface Tally {
  streams: number;
  copied: number;
  /** In the target already, and the same: of an earlier run, or of whoever. */
  alreadyThere: number;
  /** In the target already, and other: left alone. */
  leftAlone: number;
  entries: number;
  bytes: number;
  same: number;
  /** Written to at the source since they were copied. */
  movedOn: number;
  gone: number;
}

interface Problem {
  readonly key: string;
  readonly problem: string;
}

export async function runImport(sourceUrl: string, options: ImportOptions): Promise<number> {
  const source = addressOf(sourceUrl);
  const target = addressOf(options.to);
  if (source.host === target.host && source.port === target.port) {
    throw new UsageError(`source and target are both ${shownAddress(source)}: name the cluster's gateway with --to`);
  }
  const progress = new Progress(options.json === true);
  const run = new Import(source, target, options, progress);
  try {
    await run.run();
  } catch (error) {
    progress.close();
    if (!(error instanceof ConnectionLost || error instanceof RedisError || error instanceof JournalError)) throw error;
    const again = options.dryRun === true ? "" : "; the same command goes on where it was";
    if (options.json === true) process.stdout.write(`${JSON.stringify({ ok: false, error: error.message })}\n`);
    else process.stderr.write(`headrace: ${error.message}${again}\n`);
    return 1;
  } finally {
    await run.close();
  }
  progress.close();
  return run.report();
}

function addressOf(url: string): RedisAddress {
  const address = parseRedisUrl(url);
  if (typeof address === "string") throw new UsageError(address);
  return address;
}

class Import {
  readonly #source: RedisAddress;
  readonly #target: RedisClient;
  readonly #options: ImportOptions;
  readonly #progress: Progress;
  readonly #tally: Tally = {
    streams: 0,
    copied: 0,
    alreadyThere: 0,
    leftAlone: 0,
    entries: 0,
    bytes: 0,
    same: 0,
    movedOn: 0,
    gone: 0,
  };
  /** By type: how many, and some of their names. */
  readonly #notCopied: Map<string, { keys: number; readonly names: string[] }> = new Map();
  readonly #problems: Problem[] = [];
  #problemCount: number = 0;
  #journal: ImportJournal | null = null;
  #clients: RedisClient[] = [];
  #keysSeen: number = 0;
  #keysTotal: number = 0;

  constructor(source: RedisAddress, target: RedisAddress, options: ImportOptions, progress: Progress) {
    this.#source = source;
    this.#target = new RedisClient(target);
    this.#options = options;
    this.#progress = progress;
  }

  async run(): Promise<void> {
    const { dryRun, state } = this.#options;
    const [shownSource, shownTarget] = [shownAddress(this.#source), shownAddress(this.#target.address)];
    const sources = await this.#sources();
    await this.#target.call("PING");
    if (dryRun !== true) {
      const path = state ?? `headrace-import-${shownSource.replaceAll(/[^A-Za-z0-9.]+/g, "-").slice(6)}.jsonl`;
      this.#journal = new ImportJournal(path, shownSource, shownTarget);
    }
    for (const source of sources) this.#keysTotal += Number(await source.call("DBSIZE"));
    for (const source of sources) await this.#eachStream(source, (key) => this.#one(source, key));
    if (dryRun === true) return;
    this.#keysSeen = 0;
    for (const source of sources) await this.#eachStream(source, (key) => this.#compare(source, key), "compare");
  }

  async close(): Promise<void> {
    for (const client of [...this.#clients, this.#target]) await client.close();
  }

  /** The one that was named, or all primaries of its cluster. */
  async #sources(): Promise<readonly RedisClient[]> {
    const first = this.#clientOf(this.#source);
    const info = String(await first.call("INFO", "cluster"));
    if (!/^cluster_enabled:1\r?$/m.test(info)) return [first];
    const primaries = new Map<string, RedisClient>();
    for (const row of listOf(await first.call("CLUSTER", "SLOTS"))) {
      const [host, port] = listOf(listOf(row)[2]!) as [string, number];
      // A node that knows no address of its own is where it was asked.
      const address = { ...this.#source, host: host === "" ? this.#source.host : host, port };
      if (!primaries.has(`${address.host}:${port}`)) primaries.set(`${address.host}:${port}`, this.#clientOf(address));
    }
    return [...primaries.values()];
  }

  #clientOf(address: RedisAddress): RedisClient {
    const client = new RedisClient(address);
    this.#clients.push(client);
    return client;
  }

  /** Calls for every stream, some at once; counts what is none while copying. SCAN may name a key more than once. */
  async #eachStream(
    source: RedisClient,
    task: (key: string) => Promise<void>,
    verb: "copy" | "compare" = "copy",
  ): Promise<void> {
    const match = this.#options.match === undefined ? [] : ["MATCH", latin1Of(this.#options.match)];
    let recent = new Set<string>();
    for (let cursor = ""; cursor !== "0";) {
      const [next, listed] = listOf(
        await source.call("SCAN", cursor === "" ? "0" : cursor, ...match, "COUNT", SCAN_COUNT),
      );
      cursor = String(next);
      const keys = [...new Set(listOf(listed!).map(String))].filter((key) => !recent.has(key));
      recent = new Set(keys);
      const types = await source.pipeline(keys.map((key) => ["TYPE", key]));
      const streams = keys.filter((_key, i) => types[i] === "stream");
      if (verb === "copy") keys.forEach((key, i) => this.#noteType(key, String(orThrow(types[i]!))));
      this.#keysSeen += keys.length - streams.length;
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          for (let key = streams.shift(); key !== undefined; key = streams.shift()) {
            await task(key);
            this.#keysSeen++;
            this.#show(verb);
          }
        }),
      );
    }
  }

  #noteType(key: string, type: string): void {
    // It has gone since SCAN named it.
    if (type === "none") return;
    if (type === "stream") {
      this.#tally.streams++;
      return;
    }
    const known = this.#notCopied.get(type) ?? { keys: 0, names: [] };
    known.keys++;
    if (known.names.length < SHOWN_NAMES) known.names.push(shown(key));
    this.#notCopied.set(type, known);
  }

  async #one(source: RedisClient, key: string): Promise<void> {
    const tally = this.#tally;
    const journal = this.#journal;
    if (journal !== null && journal.copiedAs(key) !== null) {
      tally.alreadyThere++;
      return;
    }
    const target = this.#target;
    const isBegun = journal?.isBegun(key) === true;
    const isThere = !isBegun && (await target.call("EXISTS", key)) === 1;
    if (isThere) {
      const difference = await this.#difference(source, key);
      if (difference === null) {
        tally.alreadyThere++;
        return;
      }
      if (this.#options.replace !== true) {
        tally.leftAlone++;
        return this.#note(key, `it is in the target already, and other: ${difference}; --replace replaces it`);
      }
    }
    if (journal === null) {
      const facts = await streamFacts(source, key);
      tally.entries += facts?.length ?? 0;
      tally.copied++;
      return;
    }
    journal.begin(key);
    try {
      const { dumpMax } = this.#options;
      const copied = await copyStream({
        source,
        target,
        key,
        isBegun,
        mayReplace: isThere,
        ...(dumpMax === undefined ? {} : { dumpBytesMax: Number(dumpMax) }),
        onBytes: (bytes) => {
          tally.bytes += bytes;
          this.#show("copy");
        },
      });
      if (copied === null) {
        tally.gone++;
        return;
      }
      tally.copied++;
      tally.entries += copied.entries;
      journal.copied(key, copied.facts);
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      this.#note(key, error.message);
    }
  }

  async #compare(source: RedisClient, key: string): Promise<void> {
    const copiedAs = this.#journal!.copiedAs(key);
    const difference = await this.#difference(source, key);
    if (difference === null) this.#tally.same++;
    else if (copiedAs !== null) {
      const facts = await streamFacts(source, key);
      if (facts === null) return;
      if (factsDigest(facts) === copiedAs) this.#note(key, difference);
      else {
        this.#tally.movedOn++;
        const here = await streamFacts(this.#target, key);
        this.#progress.say(`${shown(key)} was written to since it was copied up to ${here?.lastId ?? "nothing"}`);
      }
    } else if (!this.#problems.some((problem) => problem.key === shown(key))) this.#note(key, difference);
  }

  async #difference(source: RedisClient, key: string): Promise<string | null> {
    try {
      return await streamDifference(source, this.#target, key);
    } catch (error) {
      // A key of another type.
      if (error instanceof RedisError) return error.message;
      throw error;
    }
  }

  #note(key: string, problem: string): void {
    this.#problemCount++;
    if (this.#problems.length < SHOWN_PROBLEMS) this.#problems.push({ key: shown(key), problem });
    this.#progress.say(`${shown(key)}: ${problem}`);
  }

  #show(verb: "copy" | "compare"): void {
    const { bytes } = this.#tally;
    const total = Math.max(this.#keysTotal, this.#keysSeen);
    this.#progress.show({ verb, unit: "keys", done: this.#keysSeen, total, bytes });
  }

  /** The exit code. */
  report(): number {
    const tally = this.#tally;
    const isDry = this.#options.dryRun === true;
    const isOk = this.#problemCount === 0;
    const notCopied = Object.fromEntries(
      [...this.#notCopied].map(([type, { keys, names }]) => [type, { keys, names }]),
    );
    if (this.#options.json === true) {
      const { seconds } = this.#progress;
      const result = { ok: isOk, dryRun: isDry, ...tally, notCopied, problems: this.#problems, seconds };
      process.stdout.write(`${JSON.stringify(result)}\n`);
      return isOk ? 0 : 1;
    }
    const lines = [
      isDry
        ? `${tally.streams} streams: ${tally.copied} would be copied (${tally.entries} entries), ${tally.alreadyThere} are there already, ${tally.leftAlone} would be left alone`
        : `${tally.streams} streams: ${tally.copied} copied (${tally.entries} entries, ${byteSize(tally.bytes)}), ${tally.alreadyThere} were there already, ${tally.leftAlone} left alone`,
    ];
    if (!isDry) {
      lines.push(
        `compared: ${tally.same} are the same, ${tally.movedOn} were written to since they were copied, ${this.#problemCount} differ or could not be copied`,
      );
    }
    for (const [type, { keys, names }] of this.#notCopied) {
      lines.push(`not copied: ${keys} of type ${type} (${names.join(", ")}${keys > names.length ? ", …" : ""})`);
    }
    process.stdout.write(`${lines.join("\n")}\n`);
    return isOk ? 0 : 1;
  }
}

/** A key for people. */
function shown(key: string): string {
  return Buffer.from(key, "latin1").toString("utf8");
}
