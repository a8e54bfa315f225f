/**
 * Carries a script out: etcd's test environment with its directives. All messages between nodes, and the answers of the local threads, are in
 * one list, oldest first; nothing moves unless a directive says so.
 *
 * stabilize repeats until nothing moves: each node's Ready, then each node's messages, then all append work, then all apply work.
 */
import {
  EntryType,
  LocalAppendThread,
  LocalApplyThread,
  message,
  MessageType,
  RaftInvariantError,
  Role,
} from "../../src/index.ts";
import type { Message } from "../../src/index.ts";
import { nodeSettings } from "./add-nodes.ts";
import { parseProposedChange } from "./conf-change-text.ts";
import { describeEntry, describeMessage, nameOfRole, typeOfName } from "./describe.ts";
import type { Argument, Directive } from "./directive.ts";
import { ScriptNode } from "./script-node.ts";
import { describeReady, ScriptOutput } from "./script-output.ts";
import { emptySnapshot, ScriptStorage } from "./script-storage.ts";
import { describeProgress } from "./status-text.ts";

export class ScriptError extends Error {
  override name: string = "ScriptError";
}

/** What a directive did, besides what the nodes note themselves. */
export interface Outcome {
  readonly error: string | null;
  /** The error is one that stops the program: etcd would have panicked. */
  readonly isFatal: boolean;
  readonly output: string;
  readonly delivered: readonly Message[];
  readonly dropped: readonly Message[];
}

type Handler = (run: ScriptRun, directive: Directive) => string | null;

export class ScriptRun {
  readonly nodes: ScriptNode[] = [];
  network: Message[] = [];
  readonly output: ScriptOutput = new ScriptOutput();
  /** Contents of snapshots by handle. */
  readonly contents: Map<number, string> = new Map();
  #delivered: Message[] = [];
  #dropped: Message[] = [];

  execute(directive: Directive): Outcome {
    this.#delivered = [];
    this.#dropped = [];
    for (const node of this.nodes) {
      node.sent = [];
      node.released = [];
      node.scripted.raft.events = [];
    }
    let error: string | null;
    let isFatal = false;
    try {
      const handler = handlers.get(directive.command);
      error = handler === undefined ? "unknown command" : handler(this, directive);
    } catch (thrown) {
      if (thrown instanceof ScriptError) error = thrown.message;
      else if (thrown instanceof RaftInvariantError || (thrown as Error).message.startsWith("panic: ")) {
        error = `panic: ${(thrown as Error).message.replace(/^panic: /, "")}`;
        isFatal = true;
      } else throw thrown;
    }
    if (error !== null) this.output.line(error);
    return { error, isFatal, output: this.output.take(), delivered: this.#delivered, dropped: this.#dropped };
  }

  node(id: number): ScriptNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new ScriptError(`no node ${id}`);
    return node;
  }

  processReady(node: ScriptNode): string | null {
    return node.processReady(this.network, (ready) => this.output.line(describeReady(ready)));
  }

  processAppendThread(node: ScriptNode): string | null {
    const m = node.appendWork.shift();
    if (m === undefined) {
      this.output.line("no append work to perform");
      return null;
    }
    this.#showWork(m);
    const error = node.processAppend(m, this.network);
    if (error === null) this.#showResponses(m);
    return error;
  }

  processApplyThread(node: ScriptNode): string | null {
    const m = node.applyWork.shift();
    if (m === undefined) {
      this.output.line("no apply work to perform");
      return null;
    }
    this.#showWork(m);
    node.processApply(m, this.network);
    this.#showResponses(m);
    return null;
  }

  #showWork(m: Message): void {
    this.output.line("Processing:");
    this.output.line(describeMessage({ ...m, responses: [] }));
  }

  #showResponses(m: Message): void {
    this.output.line("Responses:");
    for (const response of m.responses) this.output.line(describeMessage(response));
  }

  /** Delivers or drops what is there for `to`; answers how many messages that were. */
  deliver(to: number, type: MessageType | null, isDrop: boolean): number {
    const isMeant = (m: Message): boolean =>
      m.to === to && (type === null || m.type === type) && !(isDrop && isLocal(m));
    const messages = this.network.filter(isMeant);
    this.network = this.network.filter((m) => !isMeant(m));
    for (const m of messages) {
      this.output.line(`${isDrop ? "dropped: " : ""}${describeMessage(m)}`);
      if (isDrop) {
        this.#dropped.push(m);
        continue;
      }
      this.#delivered.push(m);
      const error = this.node(to).scripted.step({ ...m });
      if (error !== null) this.output.line(error);
    }
    return messages.length;
  }

  stabilize(nodes: readonly ScriptNode[]): string | null {
    for (let rounds = 0; rounds < 10_000; rounds++) {
      const error = this.#round(nodes);
      if (error !== "moved") return error;
    }
    throw new ScriptError("the nodes do not come to rest");
  }

  /** One round of stabilize: "moved", null when nothing did, or an error. */
  #round(nodes: readonly ScriptNode[]): string | null {
    let hasMoved = false;
    let error: string | null = null;
    const forEach = (
      title: string,
      isDue: (node: ScriptNode) => boolean,
      act: (node: ScriptNode) => string | null,
    ): void => {
      for (const node of nodes) {
        if (error !== null || !isDue(node)) continue;
        this.output.line(`> ${node.id} ${title}`);
        this.output.indented(() => (error = act(node)));
        hasMoved = true;
      }
    };
    const drain = (work: (node: ScriptNode) => readonly Message[], act: (node: ScriptNode) => string | null) => {
      return (node: ScriptNode): string | null => {
        let failed: string | null = null;
        while (work(node).length > 0 && failed === null) failed = act(node);
        return failed;
      };
    };
    forEach(
      "handling Ready",
      (node) => node.scripted.hasReady(),
      (node) => this.processReady(node),
    );
    forEach(
      "receiving messages",
      (node) => this.network.some((m) => m.to === node.id),
      (node) => (this.deliver(node.id, null, false), null),
    );
    forEach(
      "processing append thread",
      (node) => node.appendWork.length > 0,
      drain(
        (node) => node.appendWork,
        (node) => this.processAppendThread(node),
      ),
    );
    forEach(
      "processing apply thread",
      (node) => node.applyWork.length > 0,
      drain(
        (node) => node.applyWork,
        (node) => this.processApplyThread(node),
      ),
    );
    if (error !== null) return error;
    return hasMoved ? "moved" : null;
  }
}

/** Between a node and itself, or one of its threads: reliable. */
function isLocal(m: Message): boolean {
  return m.from === m.to || isThread(m.from) || isThread(m.to);
}

function isThread(id: number): boolean {
  return id === LocalAppendThread || id === LocalApplyThread;
}

function integer(text: string | undefined, what: string): number {
  if (text === undefined || !/^\d+$/.test(text)) throw new ScriptError(`${what}: "${text ?? ""}" is not a number`);
  return Number(text);
}

/** The ids among the arguments: those without values. */
function idsOf(directive: Directive): number[] {
  return directive.args.filter((arg) => arg.values.length === 0).map((arg) => integer(arg.key, "node"));
}

function nodesOf(run: ScriptRun, directive: Directive): ScriptNode[] {
  return idsOf(directive).map((id) => run.node(id));
}

function firstNode(run: ScriptRun, directive: Directive): ScriptNode {
  return run.node(integer(directive.args[0]?.key, "node"));
}

function option(directive: Directive, key: string): Argument | undefined {
  return directive.args.find((arg) => arg.key === key && arg.values.length > 0);
}

function numberOption(directive: Directive, key: string): number {
  return integer(option(directive, key)?.values[0], key);
}

/** On each of several nodes with a title, on one without. */
function onEach(
  run: ScriptRun,
  directive: Directive,
  title: string,
  act: (node: ScriptNode) => string | null,
): string | null {
  const nodes = nodesOf(run, directive);
  let error: string | null = null;
  for (const node of nodes) {
    if (error !== null) break;
    if (nodes.length === 1) {
      error = act(node);
      continue;
    }
    run.output.line(`> ${node.id} ${title}`);
    run.output.indented(() => (error = act(node)));
  }
  return error;
}

function addNodes(run: ScriptRun, directive: Directive): string | null {
  const count = integer(directive.args[0]?.key, "number of nodes");
  const settings = nodeSettings(directive.args.slice(1));
  if ("error" in settings) return settings.error;
  for (let i = 0; i < count; i++) {
    const storage = new ScriptStorage();
    if (settings.snapshot !== null) {
      const handle = run.contents.size + 1;
      run.contents.set(handle, settings.content);
      storage.applySnapshot({ ...settings.snapshot, handle });
      storage.newest = { ...settings.snapshot, handle };
    } else storage.newest = emptySnapshot;
    run.nodes.push(
      new ScriptNode({ ...settings.config, id: run.nodes.length + 1 }, settings.options, storage, run.contents),
    );
  }
  return null;
}

function deliverMessages(run: ScriptRun, directive: Directive): string | null {
  let type: MessageType | null = null;
  const to: { id: number; isDrop: boolean }[] = idsOf(directive).map((id) => ({ id, isDrop: false }));
  for (const name of option(directive, "type")?.values ?? []) {
    type = typeOfName(name) ?? null;
    if (type === null) return `unknown message type ${name}`;
  }
  for (const value of option(directive, "drop")?.values ?? []) {
    const id = integer(value, "drop");
    if (to.some((target) => target.id === id && !target.isDrop)) return `can't both deliver and drop msgs to ${id}`;
    to.push({ id, isDrop: true });
  }
  let count = 0;
  for (const { id, isDrop } of to) count += run.deliver(id, type, isDrop);
  if (count === 0) run.output.line("no messages");
  return null;
}

function showLog(run: ScriptRun, node: ScriptNode): void {
  const entries = node.storage.allEntries;
  for (const entry of entries) run.output.line(describeEntry(entry));
  if (entries.length > 0) return;
  run.output.line(`log is empty: first index=${node.storage.firstIndex()}, last index=${node.storage.lastIndex()}`);
}

function compact(run: ScriptRun, directive: Directive): string | null {
  const node = firstNode(run, directive);
  const error = node.storage.compact(integer(directive.args[1]?.key, "index"));
  if (error === null) showLog(run, node);
  return error;
}

function proposeText(run: ScriptRun, directive: Directive): string | null {
  const text = directive.args[1];
  if (directive.args.length !== 2 || text === undefined || text.values.length > 0)
    return "expected exactly one key with no vals";
  return firstNode(run, directive).scripted.propose(EntryType.Normal, new TextEncoder().encode(text.key));
}

function proposeChange(run: ScriptRun, directive: Directive): string | null {
  const node = firstNode(run, directive);
  const change = parseProposedChange(directive.args.slice(1), directive.input);
  if ("error" in change) return change.error;
  return node.scripted.propose(change.isV2 ? EntryType.ConfChangeV2 : EntryType.ConfChange, change.data);
}

function sendSnapshot(run: ScriptRun, directive: Directive): string | null {
  const [from, to] = nodesOf(run, directive);
  if (from === undefined || to === undefined) return "must specify two nodes";
  const m = message(MessageType.Snap, to.id, from.id);
  m.term = from.scripted.raft.term;
  m.snapshot = from.storage.newest;
  run.network.push(m);
  from.sent.push(m);
  run.output.line(describeMessage(m));
  return null;
}

function showStates(run: ScriptRun): null {
  for (const { id, scripted } of run.nodes) {
    const raft = scripted.raft;
    const vote = raft.tracker.isVoter(id) ? "(Voter)" : "(Non-Voter)";
    run.output.line(`${id}: ${nameOfRole(raft.role)} ${vote} Term:${raft.term} Lead:${raft.leader}`);
  }
  return null;
}

function showStatus(run: ScriptRun, directive: Directive): null {
  const raft = firstNode(run, directive).scripted.raft;
  // Only a leader has a view of others.
  if (raft.role !== Role.leader) return null;
  for (const progress of raft.tracker.all) run.output.line(`${progress.id}: ${describeProgress(progress)}`);
  return null;
}

function tick(run: ScriptRun, directive: Directive, of: "electionTicks" | "heartbeatTicks"): null {
  const raft = firstNode(run, directive).scripted.raft;
  for (let i = 0; i < raft.config[of]; i++) raft.tick();
  return null;
}

const nothing: Handler = () => null;

const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["_breakpoint", nothing],
  ["log-level", nothing],
  ["add-nodes", addNodes],
  ["campaign", (run, d) => (firstNode(run, d).scripted.campaign(), null)],
  ["compact", compact],
  ["deliver-msgs", deliverMessages],
  ["process-ready", (run, d) => onEach(run, d, "handling Ready", (node) => run.processReady(node))],
  [
    "process-append-thread",
    (run, d) => onEach(run, d, "processing append thread", (node) => run.processAppendThread(node)),
  ],
  [
    "process-apply-thread",
    (run, d) => onEach(run, d, "processing apply thread", (node) => run.processApplyThread(node)),
  ],
  ["raft-log", (run, d) => (showLog(run, firstNode(run, d)), null)],
  ["raft-state", (run) => showStates(run)],
  [
    "set-randomized-election-timeout",
    (run, d) => {
      firstNode(run, d).scripted.raft.randomizedElectionTicks = numberOption(d, "timeout");
      return null;
    },
  ],
  ["stabilize", (run, d) => run.stabilize(idsOf(d).length > 0 ? nodesOf(run, d) : run.nodes)],
  ["status", showStatus],
  ["tick-election", (run, d) => tick(run, d, "electionTicks")],
  ["tick-heartbeat", (run, d) => tick(run, d, "heartbeatTicks")],
  [
    "transfer-leadership",
    (run, d) => {
      const to = run.node(numberOption(d, "to"));
      run.node(numberOption(d, "from")).scripted.transferLeadership(to.id);
      return null;
    },
  ],
  ["forget-leader", (run, d) => (firstNode(run, d).scripted.forgetLeader(), null)],
  ["send-snapshot", sendSnapshot],
  ["propose", proposeText],
  ["propose-conf-change", proposeChange],
  [
    "report-unreachable",
    (run, d) => {
      const [on, reported] = nodesOf(run, d);
      if (on === undefined || reported === undefined) {
        return "must specify exactly two node indexes: node on which to report, and reported node";
      }
      on.scripted.reportUnreachable(reported.id);
      return null;
    },
  ],
]);

export function isCommand(word: string): boolean {
  return handlers.has(word);
}

export const commandNames: readonly string[] = [...handlers.keys()].filter((name) => !name.startsWith("_"));
