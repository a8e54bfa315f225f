/** The command `npm run raft-script`: how it reads a script, and what its lines hold. What Raft does in scripts is in scenarios.test.ts. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readScript } from "../testing/script/directive.ts";
import type { NodeJson, ReportJson } from "../testing/script/report.ts";
import { isCommand } from "../testing/script/script-run.ts";

const main = fileURLToPath(new URL("../testing/script/main.ts", import.meta.url));

function run(script: string): ReportJson[] {
  const directory = mkdtempSync(join(tmpdir(), "raft-script-"));
  try {
    writeFileSync(join(directory, "script.txt"), script);
    const lines = execFileSync(process.execPath, [main, join(directory, "script.txt")], { encoding: "utf8" });
    return lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as ReportJson);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const node = (report: ReportJson | undefined, id: number): NodeJson => report!.nodes.find((each) => each.id === id)!;

test("a script is remarks and directives with arguments, lists, input and ignored expectations", () => {
  const script = `
# remark
add-nodes 3 voters=(1,2, 3) content="two words" index=2
----
this is
expected

propose-conf-change 1 \\
  transition=explicit
v1 l2

----
----
expected with

a blank line
----
----

stabilize
----
`;
  const read = readScript(script, isCommand);
  expect(read.map(({ command }) => command)).toEqual(["add-nodes", "propose-conf-change", "stabilize"]);
  expect(read[0]!.args).toEqual([
    { key: "3", values: [] },
    { key: "voters", values: ["1", "2", "3"] },
    { key: "content", values: ["two words"] },
    { key: "index", values: ["2"] },
  ]);
  expect(read[0]!.line).toBe(3);
  expect(read[1]!.args[1]).toEqual({ key: "transition", values: ["explicit"] });
  expect(read[1]!.input).toBe("v1 l2");
});

test("dashes may be missing", () => {
  const read = readScript("campaign 1\npropose-conf-change 1\nv2\n\nstabilize 1 2\nraft-state", isCommand);
  expect(read.map(({ text, input }) => [text, input])).toEqual([
    ["campaign 1", ""],
    ["propose-conf-change 1", "v2"],
    ["stabilize 1 2", ""],
    ["raft-state", ""],
  ]);
});

test("a line has each node's role, term, vote, leader, commit, applied, log, configuration and messages", () => {
  const reports = run(
    "add-nodes 2 voters=(1,2) index=2\n----\n\ncampaign 1\n----\n\nstabilize\n----\n\npropose 1 a\n----\n",
  );
  expect(reports.map(({ command }) => command)).toEqual(["add-nodes", "campaign", "stabilize", "propose"]);
  expect(node(reports[1], 1)).toMatchObject({ role: "StateCandidate", term: 1, vote: 1, leader: 0, messages: [] });
  expect(node(reports[2], 1)).toMatchObject({
    role: "StateLeader",
    term: 1,
    vote: 1,
    leader: 1,
    commit: 3,
    applied: 3,
  });
  expect(node(reports[2], 2)).toMatchObject({
    role: "StateFollower",
    term: 1,
    vote: 1,
    leader: 1,
    commit: 3,
    applied: 3,
  });
  expect(node(reports[2], 2).log).toEqual([{ term: 1, index: 3, type: "EntryNormal", data: "" }]);
  expect(node(reports[2], 2).configuration).toMatchObject({ voters: [1, 2], votersOutgoing: [], text: "voters=(1 2)" });
  expect(node(reports[2], 1).messages.map(({ type }) => type)).toEqual(["MsgVote", "MsgApp", "MsgApp"]);
  expect(node(reports[2], 1).events).toEqual(["became leader at term 1"]);
  expect(node(reports[3], 1)).toMatchObject({ unstable: [{ term: 1, index: 4, data: "a" }], messages: [] });
});

test("errors of directives are results, an impossible event ends the run", () => {
  const script = "add-nodes 1 voters=(1) index=2\n----\n\npropose 1 a\n----\n\nno-such 1\n----\n\nstabilize 7\n----\n";
  expect(run(script).map(({ error }) => error)).toEqual([
    null,
    "raft proposal dropped",
    "unknown command",
    "no node 7",
  ]);
  const fatal = "add-nodes 1 voters=(1) index=2\n----\n\ncompact 1 9\n----\n\nstabilize\n----\n";
  const result = spawnSync(process.execPath, [main, "-"], { input: fatal, encoding: "utf8" });
  expect(result.status).toBe(1);
  expect(result.stdout.trim().split("\n")).toHaveLength(2);
});

test("--help names every directive; wrong usage is told apart", () => {
  const shown = execFileSync(process.execPath, [main, "--help"], { encoding: "utf8" });
  for (const word of ["add-nodes", "process-append-thread", "send-snapshot", "StatePreCandidate"]) {
    expect(shown).toContain(word);
  }
  expect(spawnSync(process.execPath, [main]).status).toBe(2);
  expect(spawnSync(process.execPath, [main, "/no/such/file"]).status).toBe(2);
});
