/**
 * `headrace lag`: the consumer groups that are the furthest behind, asked of a gateway: every stream is looked at, by XINFO LAG. So the numbers are exact,
 * each at its own moment, whatever was deleted, trimmed or moved. With --rates those that are shown are looked at once more some seconds later. Exit codes:
 * 0 done, 1 not.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { compareLag, type GroupLagReport, lagTable, ratesOf } from "@headrace/cli";
import {
  ConnectionLost,
  latin1Of,
  parseRedisUrl,
  RedisClient,
  RedisError,
  type Reply,
  shownAddress,
} from "./redis-client.ts";

/** In one round. */
const KEYS_AT_ONCE = 500;

export interface LagOptions {
  readonly url: string;
  readonly match?: string;
  readonly top: string;
  readonly json?: boolean;
  /** Seconds. */
  readonly rates?: string;
}

export async function runLag({ url, match, top, json, rates }: LagOptions): Promise<number> {
  const address = parseRedisUrl(url);
  if (typeof address === "string") return failed(address);
  if (!/^\d{1,9}$/.test(top)) return failed(`--top is a number, 0 for all: ${top}`);
  const seconds = rates === undefined ? 0 : Number(rates);
  if (rates !== undefined && !(/^\d{1,4}(\.\d+)?$/.test(rates) && seconds > 0))
    return failed(`--rates is a number of seconds: ${rates}`);
  const rowsMax = Number(top) === 0 ? Number.POSITIVE_INFINITY : Number(top);
  const client = new RedisClient(address);
  try {
    const found = await lags(client, match === undefined ? null : latin1Of(match), rowsMax);
    const { groups } = found;
    const reports = seconds === 0 ? found.reports : await withRates(client, found.reports, seconds);
    if (json === true) process.stdout.write(`${JSON.stringify({ groups, lags: reports })}\n`);
    else process.stdout.write(lagTable(reports, groups));
    return 0;
  } catch (error) {
    if (!(error instanceof RedisError) && !(error instanceof ConnectionLost)) throw error;
    return failed(`${shownAddress(address)}: ${error.message}`);
  } finally {
    await client.close();
  }
}

function failed(message: string): number {
  process.stderr.write(`headrace: ${message}\n`);
  return 1;
}

/** Those that are the furthest behind, and how many there are in all. */
async function lags(
  client: RedisClient,
  match: string | null,
  rowsMax: number,
): Promise<{ readonly reports: readonly GroupLagReport[]; readonly groups: number }> {
  const filter = match === null ? [] : ["MATCH", match];
  let reports: GroupLagReport[] = [];
  let groups = 0;
  let cursor = "0";
  do {
    const page = await client.call("SCAN", cursor, ...filter, "TYPE", "stream", "COUNT", KEYS_AT_ONCE);
    const [next, keys] = page as readonly [string, readonly string[]];
    cursor = next;
    const replies = keys.length === 0 ? [] : await client.pipeline(keys.map((key) => ["XINFO", "LAG", key]));
    for (const [i, reply] of replies.entries()) {
      const found = reportsOf(keys[i]!, reply);
      groups += found.length;
      reports.push(...found);
    }
    if (reports.length > rowsMax) reports = reports.sort(compareLag).slice(0, rowsMax);
  } while (cursor !== "0");
  return { reports: reports.sort(compareLag), groups };
}

/** The same groups, with what happened to them in the seconds to come. */
async function withRates(
  client: RedisClient,
  reports: readonly GroupLagReport[],
  seconds: number,
): Promise<readonly GroupLagReport[]> {
  const keys = [...new Set(reports.map(({ stream }) => stream))];
  const beganMs = performance.now();
  await sleep(seconds * 1000);
  const after = new Map<string, GroupLagReport>();
  for (let from = 0; from < keys.length; from += KEYS_AT_ONCE) {
    const some = keys.slice(from, from + KEYS_AT_ONCE).map(bytesOf);
    const replies = await client.pipeline(some.map((key) => ["XINFO", "LAG", key]));
    for (const [i, reply] of replies.entries()) {
      for (const report of reportsOf(some[i]!, reply)) after.set(nameOf(report), report);
    }
  }
  const passed = (performance.now() - beganMs) / 1000;
  return reports.map((report) => ({ ...report, rates: ratesOf(report, after.get(nameOf(report)) ?? null, passed) }));
}

function nameOf({ stream, group }: GroupLagReport): string {
  return JSON.stringify([stream, group]);
}

function reportsOf(key: string, reply: Reply): GroupLagReport[] {
  if (reply instanceof RedisError) {
    // Deleted since it was listed.
    if (reply.message === "ERR no such key") return [];
    throw reply;
  }
  return (reply as readonly (readonly Reply[])[]).map((row) => {
    const fields = new Map<string, Reply>();
    for (let i = 0; i + 1 < row.length; i += 2) fields.set(String(row[i]), row[i + 1]!);
    const number = (name: string): number => Number(fields.get(name));
    const age = (name: string): number | null => (fields.get(name) === null ? null : number(name));
    const maxLag = fields.get("max-lag");
    return {
      stream: textOf(key),
      group: textOf(String(fields.get("name"))),
      consumers: number("consumers"),
      lag: number("lag"),
      lagMs: age("lag-ms"),
      pending: number("pending"),
      pendingMs: age("pending-ms"),
      delivered: number("delivered"),
      redelivered: number("redelivered"),
      acknowledged: number("acknowledged"),
      deadLetters: number("dead-letters"),
      maxLag: maxLag === undefined ? null : Number(maxLag),
    };
  });
}

/** Names are bytes; people read text. */
function textOf(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}

function bytesOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
