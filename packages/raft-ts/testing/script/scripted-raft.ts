/**
 * Our Raft behind etcd's own surface: RawNode with its Ready, in both modes. Scripts written for etcd see here what they would see there. Whatever
 * we do otherwise on purpose (docs/divergence.md) is taken back in this file, by overriding, so that production code needs no switch:
 *
 *   requests for votes leave at once; refused votes carry no commit index; each own entry has its own acknowledgement
 *   a commit index that moved alone makes a Ready, and a StorageAppend
 *   without asynchronous storage, entries may be applied in the Ready that writes them
 *   any acknowledgement of what is known ends a probe; a snapshot is sent to whoever needs one
 *   proposals and transfers that reach a follower are forwarded; validation of configuration changes can be off
 *   no read numbers, since nothing here asks for reads
 */
import {
  decodeConfChange,
  EntryType,
  LocalAppendThread,
  LocalApplyThread,
  message,
  MessageType,
  Role,
} from "../../src/index.ts";
import type { ConfState, Entry, HardState, LogReader, Message, RaftConfig, Snapshot } from "../../src/index.ts";
import { propose, proposeConfChange, reportUnreachable } from "../../src/leader.ts";
import type { Progress } from "../../src/progress.ts";
import { Raft } from "../../src/raft.ts";
import { describeConfiguration } from "./describe.ts";
import { encodedSize } from "./encoded-size.ts";

export const DROPPED = "raft proposal dropped";
export const PEER_NOT_FOUND = "raft: cannot step as peer not found";
const LOCAL = "raft: cannot step raft local message";

export interface Ready {
  readonly soft: { readonly leader: number; readonly role: Role } | null;
  readonly hard: HardState | null;
  readonly entries: readonly Entry[];
  readonly snapshot: Snapshot | null;
  readonly committed: readonly Entry[];
  readonly messages: readonly Message[];
  readonly mustSync: boolean;
}

export interface ScriptedOptions {
  readonly asyncStorage: boolean;
  readonly maxAppliedBytes: number;
  readonly validatesConfChanges: boolean;
  readonly hasLeaseReads: boolean;
}

/** Raft with etcd's two lists of messages, and a note of what it logs. */
class EtcdRaft extends Raft {
  messages: Message[] = [];
  waiting: Message[] = [];
  events: string[] = [];
  /** False while Raft's own constructor runs, before the fields above exist. */
  readonly isReady: boolean = true;

  override send(m: Message): void {
    const kind: number = m.type;
    switch (kind) {
      case MessageType.VoteResp:
      case MessageType.PreVoteResp:
        if (m.reject) {
          m.commit = 0;
          m.logTerm = 0;
        }
        this.waiting.push(m);
        return;
      case MessageType.AppResp:
        m.term = this.term;
        this.waiting.push(m);
        return;
      case MessageType.Vote:
      case MessageType.PreVote:
      case MessageType.Prop:
        break;
      default:
        m.term = this.term;
    }
    this.messages.push(m);
  }

  override becomeFollower(term: number, leader: number): void {
    super.becomeFollower(term, leader);
    if (this.isReady) this.#note("became follower");
  }

  override becomePreCandidate(): void {
    super.becomePreCandidate();
    this.#note("became pre-candidate");
  }

  override becomeCandidate(): void {
    super.becomeCandidate();
    this.#note("became candidate");
  }

  override becomeLeader(): void {
    super.becomeLeader();
    this.#note("became leader");
  }

  override restore(snapshot: Snapshot): boolean {
    const isRestored = super.restore(snapshot);
    if (isRestored) this.noteConfiguration();
    return isRestored;
  }

  override answersProbe(progress: Progress, index: number): boolean {
    return progress.match === index;
  }

  override canInstall(): boolean {
    return true;
  }

  noteConfiguration(): void {
    this.events.push(`switched to configuration ${describeConfiguration(this.tracker.confState())}`);
  }

  #note(what: string): void {
    this.events.push(`${what} at term ${this.term}`);
  }
}

export class ScriptedRaft {
  readonly raft: EtcdRaft;
  readonly #options: ScriptedOptions;
  #soft: { leader: number; role: Role };
  #hard: HardState;
  #applyingBytes = 0;
  #isApplyPaused = false;
  /** Without asynchronous storage: what `advance` has to deliver. */
  #onAdvance: Message[] = [];

  constructor(config: RaftConfig, storage: LogReader, options: ScriptedOptions) {
    this.raft = new EtcdRaft(config, storage);
    this.#options = options;
    this.#soft = { leader: 0, role: Role.follower };
    this.#hard = this.hardState();
    this.raft.noteConfiguration();
    this.raft.events.push(`became follower at term ${this.raft.term}`);
  }

  get isAsync(): boolean {
    return this.#options.asyncStorage;
  }

  hardState(): HardState {
    return { term: this.raft.term, vote: this.raft.vote, commit: this.raft.log.commit };
  }

  // What comes in. Answers are error texts, null when all is well.

  campaign(): void {
    this.raft.hup(this.raft.config.preVote ? "preElection" : "election");
  }

  step(m: Message): string | null {
    const isLocalSender = m.from === LocalAppendThread || m.from === LocalApplyThread;
    const isLocalKind = m.type === MessageType.StorageAppendResp || m.type === MessageType.StorageApplyResp;
    if (isLocalKind && !isLocalSender) return LOCAL;
    if (isAnswer(m.type) && !isLocalSender && this.raft.tracker.get(m.from) === undefined) return PEER_NOT_FOUND;
    return this.#take(m);
  }

  #take(m: Message): string | null {
    const raft = this.raft;
    if (m.type === MessageType.Prop) return this.#propose(m);
    if (m.type === MessageType.StorageApplyResp) this.#settleApplied(m.entries);
    const isCurrent = m.term === 0 || m.term >= raft.term;
    raft.step(m);
    if (m.type === MessageType.TransferLeader && isCurrent && raft.role === Role.follower && raft.leader !== 0) {
      raft.send({ ...m, to: raft.leader, term: 0 });
    }
    return null;
  }

  propose(type: EntryType, data: Uint8Array): string | null {
    const m = message(MessageType.Prop, 0, this.raft.id);
    m.entries = [{ term: 0, index: 0, type, data }];
    return this.#propose(m);
  }

  #propose(m: Message): string | null {
    const raft = this.raft;
    if (raft.role === Role.follower) {
      if (raft.leader === 0) return DROPPED;
      raft.send({ ...m, to: raft.leader });
      return null;
    }
    if (raft.role !== Role.leader) return DROPPED;
    for (const entry of m.entries) {
      if (!this.#proposeOne(entry)) return DROPPED;
    }
    return null;
  }

  #proposeOne(entry: Entry): boolean {
    const raft = this.raft;
    if (entry.type === EntryType.Normal) return propose(raft, EntryType.Normal, entry.data).ok;
    if (this.#options.validatesConfChanges) {
      return proposeConfChange(raft, entry.data, entry.type === EntryType.ConfChangeV2).ok;
    }
    const index = raft.log.lastIndex + 1;
    const proposed = propose(raft, entry.type, entry.data);
    if (proposed.ok) raft.pendingConfIndex = index;
    return proposed.ok;
  }

  transferLeadership(to: number): void {
    this.#take(message(MessageType.TransferLeader, this.raft.id, to));
  }

  forgetLeader(): void {
    if (this.raft.role === Role.follower && !this.#options.hasLeaseReads) this.raft.leader = 0;
  }

  reportUnreachable(replica: number): void {
    reportUnreachable(this.raft, replica);
  }

  applyConfChange(entry: Entry): ConfState {
    const state = this.raft.applyConfChange(decodeConfChange(entry.data, entry.type === EntryType.ConfChangeV2));
    this.raft.noteConfiguration();
    return state;
  }

  // What goes out.

  hasReady(): boolean {
    const raft = this.raft;
    return (
      this.#hasNewSoftState() ||
      this.#hasNewHardState() ||
      raft.log.unstable.nextSnapshot() !== null ||
      raft.messages.length > 0 ||
      raft.waiting.length > 0 ||
      raft.log.unstable.hasNextEntries() ||
      this.#hasNextCommitted()
    );
  }

  ready(): Ready {
    const raft = this.raft;
    const hard = this.#hasNewHardState() ? this.hardState() : null;
    const ready = {
      soft: this.#hasNewSoftState() ? { leader: raft.leader, role: raft.role } : null,
      hard,
      entries: raft.log.unstable.nextEntries(),
      snapshot: raft.log.unstable.nextSnapshot(),
      committed: this.#nextCommitted(),
      messages: raft.messages,
      mustSync: false,
    };
    ready.mustSync = ready.entries.length > 0 || raft.term !== this.#hard.term || raft.vote !== this.#hard.vote;
    const { entries, snapshot, committed, messages } = ready;
    const needsDone = raft.log.unstable.entries.length > 0 || snapshot !== null;
    const done = needsDone ? [this.#appendDone(snapshot)] : [];
    const applied = committed.length > 0 ? [this.#applyDone(committed)] : [];
    if (this.isAsync) {
      if (entries.length > 0 || hard !== null || snapshot !== null || raft.waiting.length > 0) {
        const m = message(MessageType.StorageAppend, LocalAppendThread, raft.id);
        Object.assign(m, { entries, snapshot, ...hard, responses: [...raft.waiting, ...done] });
        messages.push(m);
      }
      if (committed.length > 0) {
        const m = message(MessageType.StorageApply, LocalApplyThread, raft.id);
        Object.assign(m, { entries: committed, responses: applied });
        messages.push(m);
      }
    } else {
      messages.push(...raft.waiting.filter((m) => m.to !== raft.id));
      this.#onAdvance = [...raft.waiting.filter((m) => m.to === raft.id), ...done, ...applied];
    }
    this.#accept(ready);
    return ready;
  }

  #accept(ready: Ready): void {
    const raft = this.raft;
    if (ready.soft !== null) this.#soft = ready.soft;
    if (ready.hard !== null) this.#hard = ready.hard;
    raft.messages = [];
    raft.waiting = [];
    raft.log.unstable.acceptInProgress();
    if (ready.committed.length === 0) return;
    raft.log.applying = ready.committed.at(-1)!.index;
    this.#applyingBytes += sizeOf(ready.committed);
    this.#isApplyPaused = this.#applyingBytes >= this.#options.maxAppliedBytes || raft.log.applying < this.#appliable();
  }

  /** Without asynchronous storage: everything of the last Ready is written and applied. */
  advance(): void {
    const steps = this.#onAdvance;
    this.#onAdvance = [];
    for (const m of steps) this.#take(m);
  }

  #appendDone(snapshot: Snapshot | null): Message {
    const raft = this.raft;
    const done = message(MessageType.StorageAppendResp, raft.id, LocalAppendThread);
    done.term = raft.term;
    if (raft.log.unstable.entries.length > 0) {
      done.index = raft.log.lastIndex;
      done.logTerm = raft.log.lastTerm;
    }
    done.snapshot = snapshot;
    return done;
  }

  #applyDone(entries: readonly Entry[]): Message {
    const done = message(MessageType.StorageApplyResp, this.raft.id, LocalApplyThread);
    done.entries = entries;
    return done;
  }

  #hasNewSoftState(): boolean {
    return this.raft.leader !== this.#soft.leader || this.raft.role !== this.#soft.role;
  }

  #hasNewHardState(): boolean {
    const { term, vote, commit } = this.#hard;
    return this.raft.term !== term || this.raft.vote !== vote || this.raft.log.commit !== commit;
  }

  #appliable(): number {
    const { commit, unstable } = this.raft.log;
    return this.isAsync ? Math.min(commit, unstable.offset - 1) : commit;
  }

  #hasNextCommitted(): boolean {
    const log = this.raft.log;
    return !this.#isApplyPaused && !log.hasSnapshotUnderWay() && log.applying < this.#appliable();
  }

  #nextCommitted(): readonly Entry[] {
    if (!this.#hasNextCommitted()) return [];
    const log = this.raft.log;
    const entries = log.slice(log.applying + 1, this.#appliable() + 1, Number.MAX_SAFE_INTEGER);
    if (entries === "compacted" || entries === "unavailable")
      throw new Error(`panic: committed entries are ${entries}`);
    const allowed = this.#options.maxAppliedBytes - this.#applyingBytes;
    let count = 1;
    let bytes = encodedSize(entries[0]!);
    while (count < entries.length && bytes + encodedSize(entries[count]!) <= allowed) {
      bytes += encodedSize(entries[count]!);
      count++;
    }
    return entries.slice(0, count);
  }

  #settleApplied(entries: readonly Entry[]): void {
    this.#applyingBytes = Math.max(0, this.#applyingBytes - sizeOf(entries));
    this.#isApplyPaused = this.#applyingBytes >= this.#options.maxAppliedBytes;
  }
}

function isAnswer(type: MessageType): boolean {
  return (
    type === MessageType.AppResp ||
    type === MessageType.VoteResp ||
    type === MessageType.HeartbeatResp ||
    type === MessageType.PreVoteResp ||
    type === MessageType.StorageAppendResp ||
    type === MessageType.StorageApplyResp
  );
}

function sizeOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += encodedSize(entry);
  return bytes;
}
