/**
 * `npm run raft-script -- FILE`: carries out a script in the form of etcd's interaction tests against raft-ts, and prints one JSON line for
 * each directive. Expected output in the script is not read. See `help` for directives and for the shape of a line (report.ts has its types).
 */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { readScript, ScriptSyntaxError } from "./directive.ts";
import type { Directive } from "./directive.ts";
import { reportOf } from "./report.ts";
import { commandNames, isCommand, ScriptRun } from "./script-run.ts";

const help = `Usage: npm run raft-script -- FILE        (- reads standard input; npm run -s leaves only the JSON)

Carries out a script in the form of etcd-io/raft's interaction tests and prints one JSON line per directive.

  # a remark
  command arg key=value key=(a,b)
  input
  ----
  expected output, not read, up to a blank line

Directives: ${commandNames.join(", ")}.

  add-nodes N voters=(1,2) learners=(3) index=2 content=text async-storage-writes=true prevote=true checkquorum=true inflight=3
            max-committed-size-per-ready=1 step-down-on-removal=true commit-rides-along=true disable-conf-change-validation=true read-only=safe|lease-based
  campaign N                                   propose N text
  propose-conf-change N [v1=true] [transition=auto|implicit|explicit]     input: v1 l2 r3 u4; nothing leaves a joint configuration
  process-ready N…                             process-append-thread N…       process-apply-thread N…
  deliver-msgs N… drop=(2,3) type=MsgApp       stabilize [N…] [log-level=none]
  tick-election N    tick-heartbeat N          set-randomized-election-timeout N timeout=5
  transfer-leadership from=1 to=2              forget-leader N                report-unreachable ON N
  send-snapshot FROM TO                        compact N INDEX
  raft-log N         raft-state                status N                       log-level LEVEL (accepted, no effect)

Environment: election tick 3, heartbeat tick 1, election timeout 4 unless set; in-memory storage that begins behind a snapshot at \`index\` with
term 1; the state machine appends the bytes of each entry; all messages are in one list, delivered oldest first.

A line:
  line, directive, command, input      where and what
  error        null, or the text (a refused proposal: "raft proposal dropped"); "panic: …" ends the run
  output       what etcd prints for it, less the lines of its logger
  delivered, dropped                   messages handled by this directive, in order
  network      messages that are still on their way
  nodes        for each node, in the order of ids:
    id, term, vote, leader (0: none), commit, applied
    role           StateFollower | StatePreCandidate | StateCandidate | StateLeader
    log            entries in stable storage, as raft-log shows them: [{term, index, type, data}];
                   data is the proposal's text, or the changes ("v2 l3") of a configuration entry
    firstIndex     of stable storage
    unstable       entries of the log that are not known to be in stable storage, in the same form
    configuration  {voters, votersOutgoing, learners, learnersNext, autoLeave, text}, text as in "voters=(1 2)&&(1) learners=(3)"
    state          the state machine's content
    progress       a leader's view of each replica: [{id, state, match, next, learner, paused, pendingSnapshot, recentActive, inflight,
                   isInflightFull}]
    messages       sent during this directive, in order: those of its Readys
    responses      let go by its append and apply threads during this directive
    events         role changes and configurations passed through: "became leader at term 1", "switched to configuration voters=(1)"
  A message: {type: "MsgApp", from, to, term, logTerm, index, commit, vote, entries, reject, rejectHint, context, snapshot, responses, text}
             from and to are ids, or "AppendThread" and "ApplyThread"; context is "CampaignTransfer" or empty;
             snapshot is null or {index, term, configuration}; text is etcd's way to write it.

Exit status: 0 the script was carried out (errors of directives are results), 1 a panic ended it, 2 wrong usage or an unreadable script.
`;

/** npm runs this at the root of the tree, wherever it was called. */
function found(file: string): string {
  const callersDirectory = process.env["INIT_CWD"];
  return existsSync(file) || callersDirectory === undefined ? file : resolve(callersDirectory, file);
}

function main(args: readonly string[]): number {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(help);
    return 0;
  }
  const file = args[0];
  if (file === undefined || args.length > 1) {
    process.stderr.write(help);
    return 2;
  }
  let script: Directive[];
  try {
    script = readScript(readFileSync(file === "-" ? 0 : found(file), "utf8"), isCommand);
  } catch (error) {
    if (!(error instanceof ScriptSyntaxError) && !(error instanceof Error && "code" in error)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  const run = new ScriptRun();
  for (const directive of script) {
    const outcome = run.execute(directive);
    process.stdout.write(`${JSON.stringify(reportOf(run, directive, outcome))}\n`);
    if (outcome.isFatal) return 1;
  }
  return 0;
}

// Whoever reads may stop reading: `… | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});
process.exitCode = main(process.argv.slice(2));
