/** What does not fit a transcript: node-wise trimming, the read gate, INFO, the table, COMMAND against the records. */
import { expect, test } from "vitest";
import { RequestDecoder } from "@headrace/resp";
import type { Request } from "@headrace/resp";
import { REDIS_VERSION, commandTable, findCommand, findKeys, gateIndex, refusal } from "../src/index.ts";
import { CommandHarness } from "../testing/command-harness.ts";
import type { HarnessClient } from "../testing/command-harness.ts";
import { replyText } from "../testing/reply-text.ts";

const LIMITS = { maxBulkBytes: 1 << 20, maxArguments: 1000, maxInlineBytes: 65_536, maxRequestBytes: 1 << 20 };

function request(line: string): Request {
  const decoder = new RequestDecoder(LIMITS);
  decoder.feed(Buffer.from(`${line}\r\n`));
  decoder.next();
  return decoder.request;
}

function type(harness: CommandHarness, client: HarnessClient, line: string): string {
  const [reply] = harness.type(client, line);
  return reply?.bytes ? replyText(reply.bytes, 0, reply.bytes.length) : "(blocked)";
}

// The three numbers are those of Redis' own suite, tests/unit/type/stream.tcl.
test("trimming with ~ removes whole nodes only", () => {
  const harness = new CommandHarness();
  const client = harness.connect();
  for (let i = 1; i <= 1000; i++) type(harness, client, `XADD s ${i}-1 xitem v`);
  expect(type(harness, client, "XTRIM s MAXLEN ~ 555")).toBe("(integer) 400");
  expect(type(harness, client, "XLEN s")).toBe("(integer) 600");
  harness.nodeBounds.maxEntries = 2;
  for (let i = 1; i <= 3; i++) type(harness, client, `XADD t ${i}-1 xitem v`);
  expect(type(harness, client, "XTRIM t MAXLEN ~ 0 LIMIT 1")).toBe("(integer) 0");
  expect(type(harness, client, "XTRIM t MAXLEN ~ 0 LIMIT 2")).toBe("(integer) 2");
});

test("`*` follows the clock, and goes on behind the last id when the clock stands or runs back", () => {
  const harness = new CommandHarness();
  const client = harness.connect();
  expect(type(harness, client, "XADD s * f v")).toBe('"1700000000000-0"');
  expect(type(harness, client, "XADD s * f v")).toBe('"1700000000000-1"');
  harness.nowMs += 5;
  expect(type(harness, client, "XADD s * f v")).toBe('"1700000000005-0"');
  type(harness, client, "XADD t 1-18446744073709551615 f v");
  type(harness, client, "XADD t 9999999999999-18446744073709551615 f v");
  expect(type(harness, client, "XADD t * f v")).toBe('"10000000000000-0"');
});

test("idle times, delivery times and inactive times follow the clock", () => {
  const harness = new CommandHarness();
  const client = harness.connect();
  for (const line of ["XADD s 1-1 f v", "XGROUP CREATE s g 0", "XREADGROUP GROUP g c STREAMS s >"]) {
    type(harness, client, line);
  }
  harness.nowMs += 1500;
  expect(type(harness, client, "XPENDING s g IDLE 1500 - + 1")).toBe(
    '1) 1) "1-1"\n   2) "c"\n   3) (integer) 1500\n   4) (integer) 1',
  );
  expect(type(harness, client, "XPENDING s g IDLE 1501 - + 1")).toBe("(empty array)");
  expect(type(harness, client, "XREADGROUP GROUP g c STREAMS s >")).toBe("(nil)");
  harness.nowMs += 100;
  expect(type(harness, client, "XINFO CONSUMERS s g")).toBe(
    '1) 1) "name"\n   2) "c"\n   3) "pending"\n   4) (integer) 1\n   5) "idle"\n   6) (integer) 100\n   7) "inactive"\n   8) (integer) 1600',
  );
});

test("an idempotent id is known for its window, by the clock of whoever asks", () => {
  const harness = new CommandHarness();
  const client = harness.connect();
  const tracked = (): string[] => {
    const shown = type(harness, client, "XINFO STREAM s");
    return ["pids-tracked", "iids-tracked", "iids-added", "iids-duplicates"].map(
      (name) => new RegExp(`"${name}"\n *\\d+\\) \\(integer\\) (\\d+)`).exec(shown)![1]!,
    );
  };
  expect(type(harness, client, "XADD s IDMP p i * f v")).toBe('"1700000000000-0"');
  type(harness, client, "XCFGSET s IDMP-DURATION 2");
  expect(tracked()).toEqual(["0", "0", "1", "0"]);
  expect(type(harness, client, "XADD s IDMP p i * f v")).toBe('"1700000000000-1"');
  harness.nowMs += 1000;
  expect(type(harness, client, "XADD s IDMP q i * f v")).toBe('"1700000001000-0"');
  harness.nowMs += 1000;
  expect(type(harness, client, "XADD s IDMP p i * f v")).toBe('"1700000000000-1"');
  expect(tracked()).toEqual(["2", "2", "3", "1"]);
  harness.nowMs += 1;
  // Nothing was written since: the state still has it, and nobody can see that.
  expect(tracked()).toEqual(["1", "1", "3", "1"]);
  expect(type(harness, client, "XADD s IDMP p i * f v")).toBe('"1700000002001-0"');
  expect(tracked()).toEqual(["2", "2", "4", "1"]);
});

test("a read is gated on the last writer of its keys, one over the keyspace on the whole state", () => {
  const harness = new CommandHarness();
  const client = harness.connect();
  const { state } = harness;
  type(harness, client, "XADD old 1-1 f v");
  const effects = state.openBatch(state.index + 1, harness.nowMs);
  effects.createStream("hot");
  effects.deleteKey("hot");
  effects.createStream("new");
  state.sealBatch();
  const gate = (line: string): number => {
    const asked = request(line);
    return gateIndex(findCommand(asked)!, asked, state.keyspace, state.index);
  };
  expect(gate("XLEN new")).toBe(2);
  expect(gate("XLEN hot")).toBe(2);
  expect(gate("XLEN nokey")).toBe(0);
  expect(gate("XREAD COUNT 1 STREAMS old new 0 0")).toBe(2);
  expect(gate("XLEN old")).toBeLessThan(2);
  expect(gate("DBSIZE")).toBe(2);
});

test("keys are found where the grammar puts them", () => {
  const keysOf = (line: string): string[] | null => {
    const asked = request(line);
    const into: number[] = [];
    const found = findKeys(findCommand(asked)!, asked, into);
    return found < 0 ? null : into.slice(0, found).map((i) => asked.latin1(i));
  };
  expect(keysOf("DEL a b c")).toEqual(["a", "b", "c"]);
  expect(keysOf("XGROUP CREATE s g 0")).toEqual(["s"]);
  expect(keysOf("XREADGROUP GROUP STREAMS STREAMS NOACK STREAMS a b > >")).toEqual(["a", "b"]);
  expect(keysOf("XREAD STREAMS a b 0")).toBeNull();
  expect(keysOf("XREAD FOO STREAMS a 0")).toBeNull();
  expect(keysOf("PING")).toEqual([]);
});

test("every record is found by its name in any case, and nothing else is", () => {
  for (const record of commandTable) {
    expect(findCommand(request(record.name.toUpperCase()))).toBe(record);
    expect(findCommand(request(`${record.name}-`))).toBeNull();
    for (const each of record.subcommands ?? []) expect(findCommand(request(each.name.replace("|", " ")))).toBe(each);
  }
  const unknown = request("FOO bar baz");
  expect(refusal(unknown, findCommand(unknown))).toBe(
    "ERR unknown command 'FOO', with args beginning with: 'bar' 'baz' ",
  );
});

test("INFO names what clients look for", () => {
  const harness = new CommandHarness();
  const client = harness.connect();
  const info = type(harness, client, "INFO");
  for (const field of [
    `redis_version:${REDIS_VERSION}`,
    "headrace_version:0.1.0",
    "loading:0",
    "role:master",
    "redis_mode:standalone",
  ]) {
    expect(info).toContain(field);
  }
  expect(info).not.toContain("Commandstats");
  expect(type(harness, client, "INFO everything")).toContain("# Commandstats");
  expect(type(harness, client, "INFO keyspace")).not.toContain("db0");
  type(harness, client, "XADD s 1-1 f v");
  expect(type(harness, client, "INFO keyspace")).toContain("db0:keys=1,expires=0,avg_ttl=0");
});
