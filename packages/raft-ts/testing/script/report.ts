/** One JSON line for each directive. The shape is described in main.ts, for those who read it. */
import type { ConfState, Message } from "../../src/index.ts";
import { Role } from "../../src/index.ts";
import { describeConfiguration, entryJson, messageJson, nameOfRole } from "./describe.ts";
import type { EntryJson, MessageJson } from "./describe.ts";
import type { Directive } from "./directive.ts";
import type { ScriptNode } from "./script-node.ts";
import type { Outcome, ScriptRun } from "./script-run.ts";
import { progressJson } from "./status-text.ts";
import type { ProgressJson } from "./status-text.ts";

export interface NodeJson {
  readonly id: number;
  readonly role: string;
  readonly term: number;
  readonly vote: number;
  readonly leader: number;
  readonly commit: number;
  readonly applied: number;
  readonly firstIndex: number;
  readonly log: readonly EntryJson[];
  readonly unstable: readonly EntryJson[];
  readonly configuration: ConfState & { readonly text: string };
  readonly state: string;
  readonly progress: readonly ProgressJson[];
  readonly messages: readonly MessageJson[];
  readonly responses: readonly MessageJson[];
  readonly events: readonly string[];
}

export interface ReportJson {
  readonly line: number;
  readonly directive: string;
  readonly command: string;
  readonly input: string;
  readonly error: string | null;
  readonly output: string;
  readonly delivered: readonly MessageJson[];
  readonly dropped: readonly MessageJson[];
  readonly network: readonly MessageJson[];
  readonly nodes: readonly NodeJson[];
}

const jsonOf = (messages: readonly Message[]): readonly MessageJson[] => messages.map(messageJson);

export function reportOf(run: ScriptRun, directive: Directive, outcome: Outcome): ReportJson {
  return {
    line: directive.line,
    directive: directive.text,
    command: directive.command,
    input: directive.input,
    error: outcome.error,
    output: outcome.output,
    delivered: jsonOf(outcome.delivered),
    dropped: jsonOf(outcome.dropped),
    network: jsonOf(run.network),
    nodes: run.nodes.map(nodeJson),
  };
}

function nodeJson(node: ScriptNode): NodeJson {
  const raft = node.scripted.raft;
  const confState = raft.tracker.confState();
  const progress = raft.role === Role.leader ? raft.tracker.all : [];
  return {
    id: node.id,
    role: nameOfRole(raft.role),
    term: raft.term,
    vote: raft.vote,
    leader: raft.leader,
    commit: raft.log.commit,
    applied: raft.log.applied,
    firstIndex: node.storage.firstIndex(),
    log: node.storage.allEntries.map(entryJson),
    unstable: raft.log.unstable.entries.map(entryJson),
    configuration: { ...confState, text: describeConfiguration(confState) },
    state: node.content,
    progress: progress.map(progressJson),
    messages: jsonOf(node.sent),
    responses: jsonOf(node.released),
    events: [...raft.events],
  };
}
