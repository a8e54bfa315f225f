/**
 * Carries a Raft group's messages: to peers at once, StorageAppend to the node's shared log, StorageApply to the state machine; what they answer
 * travels inside them and is delivered when the work is done (I21). Used by shards and by the metadata group alike.
 *
 * A StorageAppend that brings only a new commit index is not written by itself: the index rides along with the next append (it may be lost
 * without harm), and its responses wait for the appends before it. Otherwise every commit would cost one more write.
 *
 * A StorageAppend that brings a snapshot takes its time: what comes behind it waits, so that the order holds.
 *
 * It knows no commands, no replies and no state.
 */
import { assert } from "@headrace/bytes";
import type { SharedLogApi } from "@headrace/log";
import { LocalAppendThread, LocalApplyThread, MessageType } from "@headrace/raft-ts";
import type { Entry, HardState, Message, RaftNodeApi, Snapshot } from "@headrace/raft-ts";
import type { RaftLog } from "./raft-log.ts";

export interface RaftStorageOwner {
  /** Committed entries, in order, each exactly once. */
  applyCommitted(entries: readonly Entry[]): void;
  /** Puts the snapshot in the place of the state, durably; then `done`, in a later event. The log follows. */
  installSnapshot(snapshot: Snapshot, done: () => void): void;
  /** Log entries from `index` on were replaced by others (I9). */
  logReplaced(index: number): void;
  /** Whether somebody waits for the durability of the own entries up to `lastIndex`. Asked only while leader. */
  mustSync(lastIndex: number): boolean;
  send(message: Message): void;
  /** A completion has arrived: call `stepArrived` and `pump` in the next turn. */
  wake(): void;
}

class AppendInFlight {
  /** Lowered when a later append replaces what this one wrote: until that one is done, the disk holds other entries from there on. */
  lastIndex: number;
  readonly responses: Message[];
  /** It may stay with the operating system until somebody asks for more. */
  readonly mayLinger: boolean;

  constructor(lastIndex: number, responses: Message[], mayLinger: boolean) {
    this.lastIndex = lastIndex;
    this.responses = responses;
    this.mayLinger = mayLinger;
  }
}

export class RaftStorage {
  readonly #groupId: number;
  readonly #raft: RaftNodeApi;
  readonly #raftLog: RaftLog;
  readonly #log: SharedLogApi;
  readonly #owner: RaftStorageOwner;
  /** Own responses whose work is done, to be stepped in the next turn. */
  #arrived: Message[];
  #inFlight: AppendInFlight[];
  #isInstalling: boolean;
  /** StorageAppends behind a snapshot that is being installed. */
  #waiting: Message[];
  #hardState: HardState;
  #writtenIndex: number;
  #durableIndex: number;
  #stopped: boolean;

  constructor(groupId: number, raft: RaftNodeApi, raftLog: RaftLog, log: SharedLogApi, owner: RaftStorageOwner) {
    this.#groupId = groupId;
    this.#raft = raft;
    this.#raftLog = raftLog;
    this.#log = log;
    this.#owner = owner;
    this.#arrived = [];
    this.#inFlight = [];
    this.#isInstalling = false;
    this.#waiting = [];
    this.#hardState = raftLog.initialState().hardState;
    this.#writtenIndex = raftLog.lastIndex();
    this.#durableIndex = raftLog.lastIndex();
    this.#stopped = false;
  }

  /** W: entries up to here are with the operating system. */
  get writtenIndex(): number {
    return this.#writtenIndex;
  }

  /** F: entries up to here are on this node's disk. */
  get durableIndex(): number {
    return this.#durableIndex;
  }

  /** Nothing is sent, written or delivered any more; completions that still come are dropped. */
  stop(): void {
    this.#stopped = true;
  }

  /** Steps what the storage threads have answered since the last turn. */
  stepArrived(): void {
    if (this.#arrived.length === 0) return;
    const arrived = this.#arrived;
    this.#arrived = [];
    for (const message of arrived) this.#raft.step(message);
  }

  /** Carries messages until Raft has none left. */
  pump(): void {
    const raft = this.#raft;
    while (!this.#stopped && raft.hasMessages()) {
      for (const message of raft.takeMessages()) {
        if (this.#stopped) return;
        if (message.to === LocalAppendThread) this.#take(message);
        else if (message.to === LocalApplyThread) this.#apply(message);
        else if (message.to === raft.id) raft.step(message);
        else this.#owner.send(message);
      }
    }
  }

  #take(message: Message): void {
    assert(message.type === MessageType.StorageAppend, "an append for the log writer");
    if (this.#isInstalling) {
      this.#waiting.push(message);
    } else if (message.snapshot === null) {
      this.#append(message);
    } else {
      this.#isInstalling = true;
      this.#owner.installSnapshot(message.snapshot, () => this.#installed(message));
    }
  }

  /** The state is the snapshot's, on disk too: now the log begins behind it, and what Raft promised with it is written. */
  #installed(message: Message): void {
    if (this.#stopped) return;
    const { index, term } = message.snapshot!.meta;
    this.#raftLog.reset(index, term);
    for (const append of this.#inFlight) append.lastIndex = 0;
    this.#writtenIndex = index;
    this.#durableIndex = index;
    this.#isInstalling = false;
    this.#append(message);
    while (!this.#isInstalling && this.#waiting.length > 0) this.#take(this.#waiting.shift()!);
    this.#owner.wake();
  }

  #append(message: Message): void {
    const entries = message.entries;
    const previous = this.#hardState;
    let changed = false;
    if (message.term > 0) {
      assert(message.term >= previous.term, "terms never go back (I24)");
      changed = message.term !== previous.term || message.vote !== previous.vote;
      const commit = Math.max(message.commit, previous.commit);
      this.#hardState = { term: message.term, vote: message.vote, commit };
    }
    if (entries.length === 0 && !changed && message.snapshot === null) {
      this.#withoutWriting(message.responses);
      return;
    }
    if (entries.length > 0) this.#intoLog(entries);
    const lastIndex = this.#raftLog.lastIndex();
    const isOwnBatch = entries.length > 0 && !changed && this.#raft.leader === this.#raft.id;
    const mustSync = !isOwnBatch || this.#owner.mustSync(lastIndex);
    const append = new AppendInFlight(lastIndex, message.responses.slice(), !mustSync);
    this.#inFlight.push(append);
    this.#log.append({
      groupId: this.#groupId,
      hardState: this.#hardState,
      entries,
      mustSync,
      onWritten: () => this.#written(append),
      onDurable: () => this.#durable(append),
    });
  }

  #intoLog(entries: readonly Entry[]): void {
    const replaced = this.#raftLog.append(entries);
    if (replaced === 0) return;
    this.#writtenIndex = Math.min(this.#writtenIndex, replaced - 1);
    this.#durableIndex = Math.min(this.#durableIndex, replaced - 1);
    // An index and a term do not say which append brought the entry: one that was replaced may have been put back by a later append.
    for (const append of this.#inFlight) append.lastIndex = Math.min(append.lastIndex, replaced - 1);
    this.#owner.logReplaced(replaced);
  }

  #withoutWriting(responses: readonly Message[]): void {
    if (responses.length === 0) return;
    const last = this.#inFlight[this.#inFlight.length - 1];
    if (last === undefined) {
      this.#deliver(responses);
      return;
    }
    last.responses.push(...responses);
    // A promise to somebody else now waits for it, say of a former leader whose entries the new one has confirmed.
    if (last.mayLinger) this.#log.requestSync();
  }

  #written(append: AppendInFlight): void {
    if (this.#stopped || append.lastIndex <= this.#writtenIndex) return;
    this.#writtenIndex = append.lastIndex;
    this.#owner.wake();
  }

  #durable(append: AppendInFlight): void {
    if (this.#stopped) return;
    const first = this.#inFlight.shift();
    assert(first === append, "appends become durable in the order of writing");
    if (append.lastIndex > this.#durableIndex) {
      this.#durableIndex = append.lastIndex;
      if (this.#writtenIndex < append.lastIndex) this.#writtenIndex = append.lastIndex;
    }
    this.#deliver(append.responses);
    this.#owner.wake();
  }

  #deliver(responses: readonly Message[]): void {
    for (const response of responses) {
      if (response.to === this.#raft.id) this.#arrived.push(response);
      else this.#owner.send(response);
    }
    if (this.#arrived.length > 0) this.#owner.wake();
  }

  #apply(message: Message): void {
    assert(message.type === MessageType.StorageApply, "entries for the state machine");
    this.#owner.applyCommitted(message.entries);
    for (const response of message.responses) {
      assert(response.to === this.#raft.id, "applying is answered to this replica only");
      this.#raft.step(response);
    }
  }
}
