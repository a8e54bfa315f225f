/**
 * Tables of quorum and configuration arithmetic, in testdata/. Each row of the quorum tables is also computed a second way, by the definition: a
 * majority of each half for every index, every way in which open votes can still go.
 *
 *   committed cfg=(1,2,3) [cfgj=(3,4)] idx=(7,_,9,2)     index or ∞
 *   vote      cfg=(1,2,3) [cfgj=(3,4)] votes=(y,n,_,y)   VoteWon | VoteLost | VotePending
 *   simple | enter-joint [autoleave=true] | leave-joint  input: changes; the configuration and progress behind it, or `error …`
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ConfChangeTransition } from "../src/index.ts";
import { changeMembership, changeSimply, confStateOf } from "../src/membership.ts";
import type { Changed } from "../src/membership.ts";
import { ProgressTracker } from "../src/progress-tracker.ts";
import { VoteResult } from "../src/quorum.ts";
import { parseChanges } from "../testing/script/conf-change-text.ts";
import { describeConfiguration } from "../testing/script/describe.ts";
import { readScript } from "../testing/script/directive.ts";
import type { Directive } from "../testing/script/directive.ts";

const commands = ["committed", "vote", "simple", "enter-joint", "leave-joint"];
const voteNames = ["VotePending", "VoteLost", "VoteWon"];
const emptyConfState = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

function rowsOf(file: string): Directive[] {
  const text = readFileSync(new URL(`./testdata/${file}`, import.meta.url), "utf8");
  return readScript(text, (word) => commands.includes(word));
}

function filesOf(directory: string): string[] {
  return readdirSync(new URL(`./testdata/${directory}/`, import.meta.url)).map((name) => `${directory}/${name}`);
}

interface Row {
  readonly incoming: readonly number[];
  readonly outgoing: readonly number[];
  /** For each replica what the table says of it; "_" for nothing. */
  readonly said: ReadonlyMap<number, string>;
}

function parse(row: Directive): Row {
  const list = (key: string): readonly string[] => row.args.find((arg) => arg.key === key)?.values ?? [];
  const incoming = list("cfg").map(Number);
  const outgoing = list("cfgj").map(Number);
  const ids = [...incoming, ...outgoing.filter((id) => !incoming.includes(id))];
  const values = list(row.command === "vote" ? "votes" : "idx");
  expect(values.length, `line ${row.line}: a value for each voter`).toBe(ids.length);
  return { incoming, outgoing, said: new Map(ids.map((id, i) => [id, values[i]!])) };
}

function trackerOf({ incoming, outgoing }: Row): ProgressTracker {
  const tracker = new ProgressTracker(1, 1);
  const membership = {
    voters: new Set(incoming),
    votersOutgoing: new Set(outgoing),
    learners: new Set<number>(),
    learnersNext: new Set<number>(),
    autoLeave: false,
  };
  tracker.adopt(membership, 0);
  return tracker;
}

const isMajority = (part: number, of: number): boolean => of === 0 || part * 2 > of;

function committedByDefinition({ incoming, outgoing, said }: Row): number {
  if (incoming.length + outgoing.length === 0) return Number.POSITIVE_INFINITY;
  const reach = (half: readonly number[], index: number): boolean =>
    isMajority(half.filter((id) => said.get(id) !== "_" && Number(said.get(id)) >= index).length, half.length);
  let best = 0;
  for (let index = 1; index <= 200; index++) if (reach(incoming, index) && reach(outgoing, index)) best = index;
  return best;
}

/** Won or lost when every way in which the open votes can go ends so. */
function voteByDefinition({ incoming, outgoing, said }: Row): VoteResult {
  const open = [...said].filter(([, vote]) => vote === "_").map(([id]) => id);
  let canWin = false;
  let canLose = false;
  for (let way = 0; way < 2 ** open.length; way++) {
    const isGranted = (id: number): boolean => {
      const at = open.indexOf(id);
      return at < 0 ? said.get(id) === "y" : (way & (1 << at)) !== 0;
    };
    const wins = (half: readonly number[]): boolean => isMajority(half.filter(isGranted).length, half.length);
    if (wins(incoming) && wins(outgoing)) canWin = true;
    else canLose = true;
  }
  return canWin && canLose ? VoteResult.pending : canWin ? VoteResult.won : VoteResult.lost;
}

for (const file of filesOf("quorum")) {
  test(`${file}: every row, and the same by definition`, () => {
    const rows = rowsOf(file);
    expect(rows.length).toBeGreaterThan(10);
    for (const directive of rows) {
      const row = parse(directive);
      const swapped = { ...row, incoming: row.outgoing, outgoing: row.incoming };
      const expected = directive.expected.join("");
      for (const each of [row, swapped]) {
        const tracker = trackerOf(each);
        if (directive.command === "committed") {
          for (const progress of tracker.all) progress.match = Number(row.said.get(progress.id)!.replace("_", "0"));
          const found = tracker.committedIndex();
          expect(found === Number.POSITIVE_INFINITY ? "∞" : String(found), directive.text).toBe(expected);
          expect(committedByDefinition(each), directive.text).toBe(found);
        } else {
          for (const [id, vote] of row.said) if (vote !== "_") tracker.recordVote(id, vote === "y");
          expect(voteNames[tracker.voteResult()], directive.text).toBe(expected);
          expect(voteByDefinition(each), directive.text).toBe(tracker.voteResult());
        }
      }
    }
  });
}

function change(tracker: ProgressTracker, row: Directive): Changed {
  const changes = parseChanges(row.input);
  if ("error" in changes) throw new Error(changes.error);
  const context = new Uint8Array(0);
  const { auto, jointImplicit, jointExplicit } = ConfChangeTransition;
  if (row.command === "leave-joint") {
    return changeMembership(tracker.membership, { transition: auto, changes: [], context });
  }
  if (row.command === "enter-joint") {
    const isAuto = row.args.some(({ key, values }) => key === "autoleave" && values[0] === "true");
    return changeMembership(tracker.membership, {
      transition: isAuto ? jointImplicit : jointExplicit,
      changes,
      context,
    });
  }
  return changeSimply(tracker.membership, changes);
}

function progressLine(tracker: ProgressTracker, id: number): string {
  const progress = tracker.get(id);
  return `${id}: ${progress === undefined ? "unknown" : `next=${progress.next}${progress.isLearner ? " learner" : ""}`}`;
}

for (const file of filesOf("confchange")) {
  test(`${file}: every step`, () => {
    const tracker = new ProgressTracker(1, 1);
    expect(tracker.confState()).toEqual(emptyConfState);
    let lastIndex = 0;
    for (const row of rowsOf(file)) {
      const changed = change(tracker, row);
      const found: string[] = [];
      if ("error" in changed) found.push(`error ${changed.error}`);
      else {
        tracker.adopt(changed.membership, lastIndex);
        found.push(describeConfiguration(confStateOf(changed.membership)));
      }
      for (const line of row.expected.slice(1)) found.push(progressLine(tracker, Number(line.split(":")[0])));
      expect(found, `line ${row.line}, ${row.text} ${row.input}`).toEqual(row.expected);
      lastIndex++;
    }
  });
}
