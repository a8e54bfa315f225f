/**
 * What a set takes for each member, beside what a redis-server takes for the same, and what SADD, SISMEMBER and SPOP of one member cost the engine.
 * Run: `node --expose-gc bench/micro/set-memory.ts [port of a redis-server]`. Numbers of the last look: bench/results/set-memory.txt.
 */
import { bytesOf } from "@headrace/bytes";
import { type Effects, MemberList, ShardState, type SetView } from "@headrace/engine";
import { inBatches, nanosecondsEach, PER_BATCH, redisBytesEach, usedBytes } from "./state-memory.ts";

const MEMBERS = 1_000_000;
const KINDS: readonly (readonly [name: string, member: (i: number) => string])[] = [
  ["integers of 7 digits", (i) => String(1_000_000 + i)],
  ["ids of 16 bytes", (i) => `id:${String(i).padStart(13, "0")}`],
  ["ids of 36 bytes", (i) => `${String(i).padStart(8, "0")}-aaaa-bbbb-cccc-ddddeeeeffff`],
];

function viewOf(state: ShardState): SetView {
  return state.keyspace.existing("k").value as unknown as SetView;
}

for (const [name, member] of KINDS) {
  const members = Array.from({ length: MEMBERS }, (_, i) => bytesOf(member(i)));
  const state = new ShardState();
  const before = usedBytes();
  const oneByOne = (change: (effects: Effects, list: MemberList) => void): void =>
    inBatches(state, MEMBERS, (effects, from) => {
      for (let i = from; i < from + PER_BATCH; i++) {
        const list = new MemberList();
        list.push(members[i]!, 0, members[i]!.length);
        change(effects, list);
      }
    });
  const add = nanosecondsEach(MEMBERS, () => oneByOne((effects, list) => void effects.values.sets.add("k", list, 1)));
  state.capture();
  const each = (usedBytes() - before) / MEMBERS;
  const has = nanosecondsEach(MEMBERS, () => {
    const view = viewOf(state);
    for (const bytes of members) if (!view.has(bytes, 0, bytes.length)) throw new Error("a member is missing");
  });
  const counted = viewOf(state).memoryBytes / MEMBERS;
  const remove = nanosecondsEach(MEMBERS, () =>
    oneByOne((effects, list) => void effects.values.sets.remove("k", list, "srem")),
  );
  const port = Number(process.argv[2] ?? 0);
  const theirs = port === 0 ? "" : `, Redis ${(await redisBytesEach(port, "SADD", MEMBERS, member)).toFixed(1)} bytes`;
  console.log(
    `${name}: ${each.toFixed(1)} bytes each (counted ${counted.toFixed(1)})${theirs}; SADD ${add}, SISMEMBER ${has}, SREM ${remove}`,
  );
}
