/** Messages, entries and configurations in etcd's words, as text and as plain objects for JSON. */
import {
  ConfChangeType,
  decodeConfChange,
  EntryType,
  LocalAppendThread,
  LocalApplyThread,
  MessageType,
  Role,
} from "../../src/index.ts";
import type { ConfState, Entry, HardState, Message, Snapshot } from "../../src/index.ts";

const typeNames: ReadonlyMap<number, string> = new Map(
  Object.entries(MessageType).map(([name, type]) => [type, `Msg${name}`]),
);
const entryTypeNames = ["EntryNormal", "EntryConfChange", "EntryConfChangeV2"] as const;
const changeLetters: Record<number, string> = {
  [ConfChangeType.addNode]: "v",
  [ConfChangeType.addLearnerNode]: "l",
  [ConfChangeType.removeNode]: "r",
  [ConfChangeType.updateNode]: "u",
};
const roleNames: Record<number, string> = {
  [Role.follower]: "StateFollower",
  [Role.preCandidate]: "StatePreCandidate",
  [Role.candidate]: "StateCandidate",
  [Role.leader]: "StateLeader",
};

const decoder = new TextDecoder();

export function nameOfType(type: MessageType): string {
  return typeNames.get(type) ?? "unknown";
}

export function typeOfName(name: string): MessageType | undefined {
  for (const [type, known] of typeNames) if (known === name) return type as MessageType;
  return undefined;
}

export function nameOfRole(role: Role): string {
  return roleNames[role] ?? "unknown";
}

export function nameOfTarget(id: number): string {
  if (id === LocalAppendThread) return "AppendThread";
  if (id === LocalApplyThread) return "ApplyThread";
  return id === 0 ? "None" : id.toString(16);
}

/** A proposal's own text, or the changes as `v1 l2`. */
export function contentOf(entry: Entry): string {
  if (entry.type === EntryType.Normal) return decoder.decode(entry.data);
  const { changes } = decodeConfChange(entry.data, entry.type === EntryType.ConfChangeV2);
  return changes.map((change) => `${changeLetters[change.type]}${change.replica}`).join(" ");
}

export function describeEntry(entry: Entry): string {
  const content = contentOf(entry);
  const shown = entry.type === EntryType.Normal ? JSON.stringify(content) : content;
  return `${entry.term}/${entry.index} ${entryTypeNames[entry.type]}${shown === "" ? "" : ` ${shown}`}`;
}

export function describeConfState(state: ConfState): string {
  const list = (ids: readonly number[]): string => `[${ids.join(" ")}]`;
  return (
    `Voters:${list(state.voters)} VotersOutgoing:${list(state.votersOutgoing)} ` +
    `Learners:${list(state.learners)} LearnersNext:${list(state.learnersNext)} AutoLeave:${state.autoLeave}`
  );
}

/** As etcd logs it: `voters=(1 2)&&(1) learners=(3) learners_next=(4) autoleave`. */
export function describeConfiguration(state: ConfState): string {
  const list = (ids: readonly number[]): string => `(${ids.join(" ")})`;
  let text = `voters=${list(state.voters)}`;
  if (state.votersOutgoing.length > 0) text += `&&${list(state.votersOutgoing)}`;
  if (state.learners.length > 0) text += ` learners=${list(state.learners)}`;
  if (state.learnersNext.length > 0) text += ` learners_next=${list(state.learnersNext)}`;
  return state.autoLeave ? `${text} autoleave` : text;
}

export function describeSnapshot(snapshot: Snapshot): string {
  const { index, term, confState } = snapshot.meta;
  return `Index:${index} Term:${term} ConfState:${describeConfState(confState)}`;
}

export function describeHardState(state: HardState): string {
  return `Term:${state.term}${state.vote === 0 ? "" : ` Vote:${state.vote}`} Commit:${state.commit}`;
}

export function describeMessage(m: Message, indent = ""): string {
  let text = `${indent}${nameOfTarget(m.from)}->${nameOfTarget(m.to)} ${nameOfType(m.type)} Term:${m.term} Log:${m.logTerm}/${m.index}`;
  if (m.reject) text += ` Rejected (Hint: ${m.rejectHint})`;
  if (m.commit !== 0) text += ` Commit:${m.commit}`;
  if (m.vote !== 0) text += ` Vote:${m.vote}`;
  if (m.entries.length === 1) text += ` Entries:[${describeEntry(m.entries[0]!)}]`;
  else if (m.entries.length > 1) {
    text += ` Entries:[${m.entries.map((entry) => `\n${indent}  ${describeEntry(entry)}`).join("")}\n${indent}]`;
  }
  if (m.snapshot !== null) text += `\n${indent}  Snapshot: ${describeSnapshot(m.snapshot)}`;
  if (m.responses.length > 0) {
    text += ` Responses:[${m.responses.map((response) => `\n${describeMessage(response, `${indent}  `)}`).join("")}\n${indent}]`;
  }
  return text;
}

export interface EntryJson {
  readonly term: number;
  readonly index: number;
  readonly type: string;
  readonly data: string;
}

export interface MessageJson {
  readonly type: string;
  readonly from: number | string;
  readonly to: number | string;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly commit: number;
  readonly vote: number;
  readonly entries: readonly EntryJson[];
  readonly reject: boolean;
  readonly rejectHint: number;
  readonly context: string;
  readonly snapshot: { readonly index: number; readonly term: number; readonly configuration: ConfState } | null;
  readonly responses: readonly MessageJson[];
  readonly text: string;
}

export function entryJson(entry: Entry): EntryJson {
  return { term: entry.term, index: entry.index, type: entryTypeNames[entry.type], data: contentOf(entry) };
}

export function messageJson(m: Message): MessageJson {
  const meta = m.snapshot?.meta;
  return {
    type: nameOfType(m.type),
    from: m.from < 0 ? nameOfTarget(m.from) : m.from,
    to: m.to < 0 ? nameOfTarget(m.to) : m.to,
    term: m.term,
    logTerm: m.logTerm,
    index: m.index,
    commit: m.commit,
    vote: m.vote,
    entries: m.entries.map(entryJson),
    reject: m.reject,
    rejectHint: m.rejectHint,
    context: m.force ? "CampaignTransfer" : "",
    snapshot: meta === undefined ? null : { index: meta.index, term: meta.term, configuration: meta.confState },
    responses: m.responses.map(messageJson),
    text: describeMessage(m),
  };
}
