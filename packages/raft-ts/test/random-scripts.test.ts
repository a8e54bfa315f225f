/**
 * Scripts drawn at random, in both modes of storage and with all options: whatever the directives do in whatever order, no invariant breaks, and what
 * two nodes have committed at one index is the same. Guards the script machinery as much as Raft behind it.
 */
import { expect, test } from "vitest";
import { readScript } from "../testing/script/directive.ts";
import { isCommand, ScriptRun } from "../testing/script/script-run.ts";
import { SeededRandom } from "../testing/seeded-random.ts";

const NODES = 4;

function drawDirective(random: SeededRandom, step: number): string {
  const node = (): number => 1 + random.below(NODES);
  const some = (): string => [1, 2, 3, 4].filter(() => random.below(2) === 0).join(",");
  switch (random.below(22)) {
    case 0:
      return `campaign ${node()}`;
    case 1:
    case 2:
    case 3:
      return `propose ${node()} p${step}`;
    case 4:
      return `propose-conf-change ${node()}\n${["v4", "l4", "l2 v4", "r3 v4 l1", "v1 v2 v3 v4", "", "r4", "u2"][random.below(8)]}`;
    case 5:
      return `propose-conf-change ${node()} transition=${["implicit", "explicit"][random.below(2)]}\n${["v4", "l3", "", "v3"][random.below(4)]}`;
    case 6:
      return `tick-election ${node()}`;
    case 7:
      return `tick-heartbeat ${node()}`;
    case 8:
      return `transfer-leadership from=${node()} to=${node()}`;
    case 9:
      return `forget-leader ${node()}`;
    case 10:
      return `report-unreachable ${node()} ${node()}`;
    case 11:
      return `deliver-msgs drop=(${some()})`;
    case 12:
      return `process-append-thread ${node()} ${node()}`;
    case 13:
      return `process-apply-thread ${node()}`;
    case 14:
    case 15:
      return `process-ready ${node()} ${node()}`;
    case 16:
    case 17:
    case 18:
      return `deliver-msgs ${node()}`;
    case 19:
      return `stabilize ${node()} ${node()}`;
    case 20:
      return `compact ${node()}`;
    default:
      return "stabilize";
  }
}

/** Where the log is compacted to: as far as is applied, or the directive makes no sense. */
function completed(run: ScriptRun, directive: string): string {
  const match = /^compact (\d)$/.exec(directive);
  if (match === null) return directive;
  return `${directive} ${run.node(Number(match[1])).scripted.raft.log.applied}`;
}

function runScript(seed: number): { readonly commits: number; readonly leaders: number } {
  const random = new SeededRandom(seed);
  const run = new ScriptRun();
  const flag = (name: string): string => ` ${name}=${random.below(2) === 0}`;
  const options = ["async-storage-writes", "prevote", "checkquorum", "step-down-on-removal", "commit-rides-along"]
    .map(flag)
    .join("");
  const committed = new Map<number, string>();
  const leaders = new Map<number, number>();
  const execute = (text: string): void => {
    for (const directive of readScript(`${text}\n----\n`, isCommand)) {
      const { error, isFatal } = run.execute(directive);
      expect(isFatal, `seed ${seed}: ${directive.text}: ${error}`).toBe(false);
    }
  };
  execute(`add-nodes ${NODES} voters=(1,2,3) index=5 inflight=${1 + random.below(4)}${options}`);
  for (let step = 0; step < 200; step++) {
    execute(completed(run, drawDirective(random, step)));
    for (const { id, storage, scripted } of run.nodes) {
      const { raft } = scripted;
      for (const { term, index, data } of storage.allEntries) {
        if (index > Math.min(raft.log.commit, raft.log.unstable.offset - 1)) break;
        const said = `${term}:${data.join()}`;
        expect(committed.get(index) ?? said, `seed ${seed}: node ${id}, index ${index}`).toBe(said);
        committed.set(index, said);
      }
      if (raft.leader !== id) continue;
      expect(leaders.get(raft.term) ?? id, `seed ${seed}: leaders of term ${raft.term}`).toBe(id);
      leaders.set(raft.term, id);
    }
  }
  return { commits: committed.size, leaders: leaders.size };
}

test("no random script breaks an invariant, and committed entries are the same everywhere", () => {
  let commits = 0;
  let leaders = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const result = runScript(seed);
    commits += result.commits;
    leaders += result.leaders;
  }
  // Something went on in there.
  expect(commits).toBeGreaterThan(600);
  expect(leaders).toBeGreaterThan(120);
});
