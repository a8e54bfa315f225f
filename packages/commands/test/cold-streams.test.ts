/**
 * Commands on streams of which nothing is in memory: a command that changes something looks at all entries that it needs before that. Until then it can
 * be put away and run again; afterwards the whole process would wait for the disk.
 */
import { withRest } from "@headrace/bytes";
import { expect, test } from "vitest";
import type { ColdReads, StateRow } from "@headrace/engine";
import { CommandHarness, type HarnessClient } from "../testing/command-harness.ts";

const ENTRIES = 310;
/** Ends inside a block. */
const ACKNOWLEDGED = 158;
const VALUE = "x".repeat(1000);

/** At each read, the log entry that has written to the stream last. */
class NotedReads implements ColdReads {
  readonly mayMiss = false;
  readonly writers: number[] = [];
  readonly #rows: Map<string, Uint8Array> = new Map();
  readonly #writer: () => number;

  constructor(rows: readonly StateRow[], writer: () => number) {
    for (const { slot, subkey, value, rest } of rows) this.#rows.set(nameOf(slot, subkey), withRest(value!, rest));
    this.#writer = writer;
  }

  rowNow(slot: number, subkey: Uint8Array): Uint8Array | null {
    this.writers.push(this.#writer());
    return this.#rows.get(nameOf(slot, subkey)) ?? null;
  }

  passed(): void {}

  wantsSoon(): void {}
}

function nameOf(slot: number, subkey: Uint8Array): string {
  return `${slot}/${Buffer.from(subkey).toString("hex")}`;
}

function request(...words: readonly string[]): Uint8Array {
  return Buffer.from(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`, "latin1");
}

/** Ten blocks in the store and none in memory, the last entry deleted; a group has all of it and has acknowledged about half. */
function coldStream(): { harness: CommandHarness; client: HarnessClient; reads: NotedReads } {
  const harness = new CommandHarness();
  const client = harness.connect();
  const send = (...words: readonly string[]): void => void harness.send(client, request(...words));
  for (let ms = 1; ms <= ENTRIES; ms++) send("XADD", "k", `${ms}-0`, "f", VALUE);
  send("XGROUP", "CREATE", "k", "g", "0");
  send("XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", ">");
  send("XGROUP", "CREATE", "k", "late", "100-0");
  send("XACK", "k", "g", ...Array.from({ length: ACKNOWLEDGED }, (_, i) => `${i + 1}-0`));
  send("XDEL", "k", `${ENTRIES}-0`);
  const { state } = harness;
  const reads = new NotedReads(state.capture().rows, () => state.keyspace.lastWriterIndex("k"));
  state.coldReads = reads;
  expect(state.evict(Infinity, state.index)).toBeGreaterThan(ENTRIES * 1000);
  return { harness, client, reads };
}

test.each([
  "XADD k MAXLEN = 40 999-0 f v",
  "XADD k MAXLEN ~ 40 LIMIT 0 999-0 f v",
  "XADD k MINID = 250-0 999-0 f v",
  "XADD k MINID ~ 250-0 LIMIT 0 999-0 f v",
  "XADD k MAXLEN 40 DELREF 999-0 f v",
  "XADD k MAXLEN 40 ACKED 999-0 f v",
  "XADD k MINID 250-0 ACKED 999-0 f v",
  "XTRIM k MAXLEN 40 DELREF",
  "XTRIM k MINID ~ 250-0 LIMIT 0",
  "XTRIM k MAXLEN = 40",
  "XDEL k 5-0",
  "XDEL k 5-0 40-0 309-0",
  "XDELEX k DELREF IDS 3 5-0 200-0 309-0",
  "XACKDEL k g DELREF IDS 3 200-0 201-0 309-0",
  "XCLAIM k g d 0 200-0 201-0 260-0",
  "XAUTOCLAIM k g d 0 - COUNT 200",
  "XREADGROUP GROUP g c COUNT 100 STREAMS k 0",
  "XREADGROUP GROUP late d STREAMS k >",
  "XREADGROUP GROUP g d CLAIM 0 STREAMS k >",
  "XSETID k 400-0",
  "COPY k {k}copy",
])("%s looks at all entries that it needs before it writes", (line) => {
  const { harness, client, reads } = coldStream();
  const before = harness.state.keyspace.lastWriterIndex("k");
  const [reply] = harness.send(client, request(...line.split(" ")));
  expect(Buffer.from(reply!.bytes!).toString("latin1")).not.toMatch(/^-/);
  expect(harness.state.index, "it has written").toBeGreaterThan(before);
  expect(reads.writers.length).toBeGreaterThan(0);
  expect(new Set(reads.writers)).toEqual(new Set([before]));
});

test.each([
  "XREADGROUP GROUP g d BLOCK 10 CLAIM 1000000000 STREAMS k >",
  "XREADGROUP GROUP g c BLOCK 10 CLAIM 1000000000 STREAMS k >",
  "XREADGROUP GROUP g d BLOCK 10 STREAMS k >",
  "XREADGROUP GROUP g c MAXCOUNT 5 MAXSIZE 100000 STREAMS k 0",
  "XREADGROUP GROUP late d NOACK COUNT 5 STREAMS k >",
  "XREADGROUP GROUP g d CLAIM 0 COUNT 2 STREAMS k >",
  "XNACK k g SILENT IDS 2 200-0 310-0",
  "XNACK k g FATAL IDS 2 5-0 6-0 FORCE",
  "XTRIM k MAXLEN 40 ACKED",
  "XTRIM k MAXLEN ~ 40 DELREF LIMIT 50",
  "XGROUP SETID k g 50-0",
  "XGROUP CREATE k h 50-0",
  "XGROUP DELCONSUMER k g c",
  "XCLAIM k g d 0 200-0 310-0 JUSTID",
  "XCLAIM k g d 0 5-0 FORCE",
  "XAUTOCLAIM k g d 0 - COUNT 200 JUSTID",
  "XACKDEL k g ACKED IDS 2 200-0 5-0",
  "XACKDEL k g KEEPREF IDS 2 200-0 5-0",
  "XDELEX k ACKED IDS 2 5-0 200-0",
  "XDELEX k KEEPREF IDS 2 5-0 200-0",
  "XSETID k 400-0 ENTRIESADDED 1000 MAXDELETEDID 5-0",
  "XADD k IDMP p i * f v",
  "XADD k MAXLEN ~ 40 DELREF 999-0 f v",
  "XADD k MINID ~ 250-0 LIMIT 10 ACKED 999-0 f v",
  "XIDMPRECORD k p i 200-0",
  "XACK k g 200-0",
])("%s reads nothing behind its first write", (line) => {
  const { harness, client, reads } = coldStream();
  const before = harness.state.keyspace.lastWriterIndex("k");
  const [reply] = harness.send(client, request(...line.split(" ")));
  if (reply?.bytes !== undefined && reply.bytes !== null) {
    expect(Buffer.from(reply.bytes).toString("latin1")).not.toMatch(/^-/);
  }
  for (const writer of reads.writers) expect(writer).toBe(before);
});
