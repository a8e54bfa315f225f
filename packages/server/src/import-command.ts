/**
 * `headrace import redis://…`: copies streams, strings, lists, sets, hashes and sorted sets of a running Redis into a running cluster, and compares them at the end. Nothing changes at the source.
 *
 *   each key of SCAN: of a known type? ─► copied already ─► there already, and the same ─► copied; there, and other: left alone, or replaced when told
 *   at the end        each key compared with its copy; one that differs and was written to since is no mistake, and named
 *
 * Exit codes: 0 all of them are in the target and the same, or were written to meanwhile; 1 not; 2 wrong usage.
 */
import { byteSize } from "@headrace/cli";
import { UsageError } from "./configuration.ts";
import { factsDigest, ImportJournal, JournalError } from "./import-journal.ts";
import { importedKind, type ImportedKind } from "./import-kinds.ts";
import { listOf, orThrow } from "./key-facts.ts";
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

/** Keys that are copied, or compared, at once. */
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
  /** Largest key that is copied by DUMP, bytes. */
  readonly dumpMax?: string;
}

/** What became of the keys, by key count. */
interface Tally {
  streams: number;
  /** Of the other types that are copied. */
  values: number;
  copied: number;
  /** In the target already, and the same: of an earlier run, or of whoever. */
  alreadyThere: number;
  /** In the target already, and other: left alone. */
  leftAlone: number;
  /** Of streams that were copied. */
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
    values: 0,
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
    for (const source of sources) await this.#eachKey(source, (key, kind) => this.#one(source, key, kind));
    if (dryRun === true) return;
    this.#keysSeen = 0;
    for (const source of sources)
      await this.#eachKey(source, (key, kind) => this.#compare(source, key, kind), "compare");
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

  /** Calls for every key that is copied, some at once; counts them and the others while copying. SCAN may name a key more than once. */
  async #eachKey(
    source: RedisClient,
    task: (key: string, kind: ImportedKind) => Promise<void>,
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
      const wanted = keys.flatMap((key, i) => {
        const kind = importedKind(String(orThrow(types[i]!)));
        return kind === null ? [] : [{ key, kind }];
      });
      if (verb === "copy") keys.forEach((key, i) => this.#noteType(key, String(types[i]!)));
      this.#keysSeen += keys.length - wanted.length;
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          for (let next = wanted.shift(); next !== undefined; next = wanted.shift()) {
            await task(next.key, next.kind);
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
    if (importedKind(type) !== null) {
      this.#tally.values++;
      return;
    }
    const known = this.#notCopied.get(type) ?? { keys: 0, names: [] };
    known.keys++;
    if (known.names.length < SHOWN_NAMES) known.names.push(shown(key));
    this.#notCopied.set(type, known);
  }

  async #one(source: RedisClient, key: string, kind: ImportedKind): Promise<void> {
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
      const difference = await this.#difference(source, key, kind);
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
      const found = await kind.facts(source, key);
      tally.entries += found?.entries ?? 0;
      tally.copied++;
      return;
    }
    journal.begin(key);
    try {
      const { dumpMax } = this.#options;
      const copied = await kind.copy({
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

  async #compare(source: RedisClient, key: string, kind: ImportedKind): Promise<void> {
    const copiedAs = this.#journal!.copiedAs(key);
    const difference = await this.#difference(source, key, kind);
    if (difference === null) this.#tally.same++;
    else if (copiedAs !== null) {
      const found = await kind.facts(source, key);
      if (found === null) return;
      if (factsDigest(found.facts) === copiedAs) this.#note(key, difference);
      else {
        this.#tally.movedOn++;
        const here = await kind.facts(this.#target, key);
        const upTo = here?.end === null ? "" : ` up to ${here?.end ?? "nothing"}`;
        this.#progress.say(`${shown(key)} was written to since it was copied${upTo}`);
      }
    } else if (!this.#problems.some((problem) => problem.key === shown(key))) this.#note(key, difference);
  }

  async #difference(source: RedisClient, key: string, kind: ImportedKind): Promise<string | null> {
    try {
      return await kind.difference(source, this.#target, key);
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
    const keys = `${tally.streams} streams, ${tally.values} other keys`;
    const lines = [
      isDry
        ? `${keys}: ${tally.copied} would be copied (${tally.entries} entries), ${tally.alreadyThere} are there already, ${tally.leftAlone} would be left alone`
        : `${keys}: ${tally.copied} copied (${tally.entries} entries, ${byteSize(tally.bytes)}), ${tally.alreadyThere} were there already, ${tally.leftAlone} left alone`,
    ];
    if (!isDry) {
      lines.push(
        `compared: ${tally.same} are the same, ${tally.movedOn} were written to since they were copied, ${this.#problemCount} differ or could not be copied`,
      );
    }
    for (const [type, { keys: count, names }] of this.#notCopied) {
      lines.push(`not copied: ${count} of type ${type} (${names.join(", ")}${count > names.length ? ", …" : ""})`);
    }
    process.stdout.write(`${lines.join("\n")}\n`);
    return isOk ? 0 : 1;
  }
}

/** A key for people. */
function shown(key: string): string {
  return Buffer.from(key, "latin1").toString("utf8");
}
