/**
 * What a set takes for each member, beside what a redis-server takes for the same, and what SADD, SISMEMBER and SPOP of one member cost the engine.
 * Run: `node --expose-gc bench/micro/set-memory.ts [port of a redis-server]`. Numbers of the last look: bench/results/set-memory.txt.
 */
import { createConnection } from "node:net";
import { bytesOf } from "@headrace/bytes";
import { MemberList, ShardState, type SetView } from "@headrace/engine";

const MEMBERS = 1_000_000;
const PER_BATCH = 1000;
const KINDS: readonly (readonly [name: string, member: (i: number) => string])[] = [
  ["integers of 7 digits", (i) => String(1_000_000 + i)],
  ["ids of 16 bytes", (i) => `id:${String(i).padStart(13, "0")}`],
  ["ids of 36 bytes", (i) => `${String(i).padStart(8, "0")}-aaaa-bbbb-cccc-ddddeeeeffff`],
];

function usedBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function inBatches(
  state: ShardState,
  change: (effects: ReturnType<ShardState["openBatch"]>, from: number) => void,
): void {
  for (let from = 0; from < MEMBERS; from += PER_BATCH) {
    change(state.openBatch(state.index + 1, 1_800_000_000_000 + from), from);
    state.sealBatch();
    state.committedTo(state.index);
  }
}

function viewOf(state: ShardState): SetView {
  return state.keyspace.existing("k").value as unknown as SetView;
}

function nanosecondsEach(run: () => void): string {
  const start = performance.now();
  run();
  return `${(((performance.now() - start) * 1e6) / MEMBERS).toFixed(0)} ns`;
}

async function redisBytes(port: number, member: (i: number) => string): Promise<number> {
  const socket = createConnection(port, "127.0.0.1");
  const ask = (words: readonly string[]): Promise<string> =>
    new Promise((resolve) => {
      socket.once("data", (chunk) => resolve(chunk.toString("latin1")));
      socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`);
    });
  await ask(["DEL", "bench:set-memory"]);
  for (let from = 0; from < MEMBERS; from += PER_BATCH) {
    await ask(["SADD", "bench:set-memory", ...Array.from({ length: PER_BATCH }, (_, i) => member(from + i))]);
  }
  const usage = await ask(["MEMORY", "USAGE", "bench:set-memory", "SAMPLES", "0"]);
  await ask(["DEL", "bench:set-memory"]);
  socket.destroy();
  return Number(usage.slice(1)) / MEMBERS;
}

for (const [name, member] of KINDS) {
  const members = Array.from({ length: MEMBERS }, (_, i) => bytesOf(member(i)));
  const state = new ShardState();
  const before = usedBytes();
  const oneByOne = (change: (effects: ReturnType<ShardState["openBatch"]>, list: MemberList) => void): void =>
    inBatches(state, (effects, from) => {
      for (let i = from; i < from + PER_BATCH; i++) {
        const list = new MemberList();
        list.push(members[i]!, 0, members[i]!.length);
        change(effects, list);
      }
    });
  const add = nanosecondsEach(() => oneByOne((effects, list) => void effects.values.sets.add("k", list, 1)));
  state.capture();
  const each = (usedBytes() - before) / MEMBERS;
  const has = nanosecondsEach(() => {
    const view = viewOf(state);
    for (const bytes of members) if (!view.has(bytes, 0, bytes.length)) throw new Error("a member is missing");
  });
  const counted = viewOf(state).memoryBytes / MEMBERS;
  const remove = nanosecondsEach(() => oneByOne((effects, list) => void effects.values.sets.remove("k", list, "srem")));
  const port = Number(process.argv[2] ?? 0);
  const theirs = port === 0 ? "" : `, Redis ${(await redisBytes(port, member)).toFixed(1)} bytes`;
  console.log(
    `${name}: ${each.toFixed(1)} bytes each (counted ${counted.toFixed(1)})${theirs}; SADD ${add}, SISMEMBER ${has}, SREM ${remove}`,
  );
}
