/**
 * A small cluster in memory: replicas, their disks and state machines as queues that are worked off step by step, and one FIFO network. Every
 * step can be taken alone (take, write, apply, deliver), as scripts need it, or all together until nothing moves (stabilize).
 * The state machine is a list of texts.
 */
import {
  decodeConfChange,
  encodeConfChangeV1,
  encodeConfChangeV2,
  EntryType,
  LocalAppendThread,
  LocalApplyThread,
  MessageType,
  RaftNode,
  Role,
} from "../src/index.ts";
import type { ConfChangeSingle, ConfState, Entry, Message, Proposed, RaftConfig, Snapshot } from "../src/index.ts";
import { MemoryLog } from "./memory-log.ts";

export interface Item {
  readonly index: number;
  readonly term: number;
  readonly text: string;
}

export interface Member {
  readonly id: number;
  readonly disk: MemoryLog;
  node: RaftNode;
  isRunning: boolean;
  /** What waits for the disk and for the state machine. */
  appends: Message[];
  applies: Message[];
  applied: number;
  state: Item[];
}

export type ClusterOptions = Partial<RaftConfig> & {
  /** The configuration everybody starts with; voters 1 … n by default. */
  readonly confState?: Partial<ConfState>;
  /**
   * Logs begin behind this index, at term 1, and newcomers get a snapshot first. The first configuration is in no log: whoever joins a group that
   * began at 0 would never learn it.
   */
  readonly index?: number;
};

export type Drop = (m: Message) => boolean;

export const emptyConfState: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

const defaults: Omit<RaftConfig, "id" | "applied"> = {
  electionTicks: 10,
  heartbeatTicks: 1,
  maxBytesPerMessage: 1 << 20,
  maxBytesPerApply: 1 << 20,
  maxInflightMessages: 256,
  maxInflightBytes: 1 << 24,
  maxUncommittedBytes: 1 << 24,
  preVote: false,
  checkQuorum: false,
  stepDownOnRemoval: false,
  commitRidesAlong: false,
  randomBelow: () => 0,
};

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (data: Uint8Array): string => new TextDecoder().decode(data);

export class Cluster {
  readonly members: Map<number, Member> = new Map();
  readonly options: ClusterOptions;
  /** Messages between replicas, oldest first. */
  network: Message[] = [];
  drop: Drop = () => false;
  /** Contents of snapshots by handle. */
  readonly #snapshots: Map<number, Item[]> = new Map();
  onApply: (member: Member, entry: Entry) => void = () => {};

  constructor(count: number, options: ClusterOptions = {}) {
    this.options = options;
    const voters = Array.from({ length: count }, (_, i) => i + 1);
    const confState = { ...emptyConfState, voters, ...options.confState };
    const ids = [...new Set([...voters, ...confState.voters, ...confState.learners, ...confState.votersOutgoing])];
    for (const id of ids) this.add(id, confState);
  }

  add(id: number, confState: ConfState = emptyConfState, index: number = this.options.index ?? 0): Member {
    const disk = new MemoryLog({ index, term: index > 0 ? 1 : 0, confState });
    if (index > 0) {
      disk.hardState = { term: 1, vote: 0, commit: index };
    }
    if (this.options.index !== undefined) disk.takeSnapshot = () => this.snapshotOf(id);
    return this.addWithDisk(id, disk);
  }

  addWithDisk(id: number, disk: MemoryLog): Member {
    const member: Member = {
      id,
      disk,
      node: this.#start(id, disk),
      isRunning: true,
      appends: [],
      applies: [],
      applied: disk.base.index,
      state: [],
    };
    this.members.set(id, member);
    return member;
  }

  #start(id: number, disk: MemoryLog): RaftNode {
    const { confState: _, index: __, ...given } = this.options;
    return new RaftNode({ ...defaults, ...given, id, applied: disk.base.index }, disk);
  }

  get(id: number): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`no replica ${id}`);
    return member;
  }

  node(id: number): RaftNode {
    return this.get(id).node;
  }

  /** The leader of the highest term, if it is the only one there. */
  leader(): RaftNode | undefined {
    let found: RaftNode | undefined;
    for (const member of this.members.values()) {
      if (!member.isRunning || member.node.role !== Role.leader) continue;
      if (found === undefined || member.node.term > found.term) found = member.node;
    }
    return found;
  }

  // One step at a time.

  /** Takes a replica's messages and sorts them to the network, its disk and its state machine. */
  take(id: number): Message[] {
    const member = this.get(id);
    const messages = member.node.takeMessages();
    for (const m of messages) {
      if (m.to === LocalAppendThread) member.appends.push(m);
      else if (m.to === LocalApplyThread) member.applies.push(m);
      else this.network.push(m);
    }
    return messages;
  }

  /** Does the oldest write of a replica's disk and hands out its responses. False when there was none. */
  write(id: number): boolean {
    const member = this.get(id);
    const m = member.appends.shift();
    if (m === undefined) return false;
    member.disk.write(m);
    if (m.snapshot !== null) this.#load(member, m.snapshot);
    this.respond(member, m);
    return true;
  }

  /** The disk does the oldest write, but nobody is told yet. Returns it for `respond`. */
  writeSilently(id: number): Message {
    const member = this.get(id);
    const m = member.appends.shift();
    if (m === undefined) throw new Error("nothing to write");
    member.disk.write(m);
    return m;
  }

  respond(member: Member, m: Message): void {
    for (const response of m.responses) {
      if (response.to === member.id) member.node.step(response);
      else this.network.push(response);
    }
  }

  apply(id: number): boolean {
    const member = this.get(id);
    const m = member.applies.shift();
    if (m === undefined) return false;
    for (const entry of m.entries) {
      if (entry.index <= member.applied) continue;
      member.applied = entry.index;
      this.onApply(member, entry);
      if (entry.type === EntryType.Normal) {
        if (entry.data.length > 0) {
          member.state.push({ index: entry.index, term: entry.term, text: textOf(entry.data) });
        }
      } else {
        member.node.applyConfChange(entry.data, entry.type === EntryType.ConfChangeV2);
      }
    }
    this.respond(member, m);
    return true;
  }

  /** Delivers the message at `position` of the network. */
  deliver(position = 0): void {
    const m = this.network.splice(position, 1)[0];
    if (m === undefined) return;
    const member = this.members.get(m.to);
    if (member === undefined || !member.isRunning || this.drop(m)) return;
    member.node.step(m);
  }

  deliverTo(id: number): void {
    for (let i = 0; i < this.network.length;) {
      if (this.network[i]!.to === id) this.deliver(i);
      else i++;
    }
  }

  // Everything until quiet.

  stabilize(...only: number[]): void {
    const ids = only.length > 0 ? only : [...this.members.keys()];
    for (let rounds = 0; rounds < 10_000; rounds++) {
      let moved = false;
      for (const id of ids) {
        const member = this.get(id);
        if (!member.isRunning) continue;
        if (member.node.hasMessages()) {
          moved = this.take(id).length > 0 || moved;
        }
        while (this.write(id)) moved = true;
        while (this.apply(id)) moved = true;
      }
      for (let i = 0; i < this.network.length;) {
        if (only.length === 0 || only.includes(this.network[i]!.to)) {
          this.deliver(i);
          moved = true;
        } else i++;
      }
      if (!moved) return;
    }
    throw new Error("the cluster does not come to rest");
  }

  tick(id: number, count = 1): void {
    for (let i = 0; i < count; i++) this.node(id).tick();
  }

  /** Ticks all, letting everything settle in between. */
  tickAll(count: number): void {
    for (let i = 0; i < count; i++) {
      for (const member of this.members.values()) if (member.isRunning) member.node.tick();
      this.stabilize();
    }
  }

  elect(id: number): RaftNode {
    this.node(id).campaign();
    this.stabilize();
    const node = this.node(id);
    if (node.role !== Role.leader) throw new Error(`replica ${id} was not elected`);
    return node;
  }

  propose(id: number, text: string): Proposed {
    return this.node(id).propose(bytes(text));
  }

  changeV1(id: number, change: ConfChangeSingle): Proposed {
    return this.node(id).proposeConfChange(encodeConfChangeV1(change), false);
  }

  changeV2(id: number, change: Parameters<typeof encodeConfChangeV2>[0]): Proposed {
    return this.node(id).proposeConfChange(encodeConfChangeV2(change), true);
  }

  // Faults.

  crash(id: number): void {
    const member = this.get(id);
    member.isRunning = false;
    member.appends = [];
    member.applies = [];
  }

  /** Comes back with what its disk has. */
  restart(id: number): void {
    const member = this.get(id);
    member.isRunning = true;
    member.appends = [];
    member.applies = [];
    this.#load(member, { meta: member.disk.base, handle: member.disk.baseHandle });
    member.node = this.#start(id, member.disk);
  }

  /** Messages from and to the replica are lost from now on. */
  isolate(...ids: number[]): void {
    this.drop = (m) => ids.includes(m.from) || ids.includes(m.to);
  }

  /** No message passes between the two sides. */
  partition(side: readonly number[]): void {
    this.drop = (m) => side.includes(m.from) !== side.includes(m.to);
  }

  heal(): void {
    this.drop = () => false;
  }

  dropTypes(...types: MessageType[]): void {
    this.drop = (m) => types.includes(m.type);
  }

  /** What a replica has applied, as a snapshot. */
  snapshotOf(id: number): Snapshot {
    const member = this.get(id);
    const term = member.disk.term(member.applied);
    if (typeof term !== "number") throw new Error("nothing to take a snapshot of");
    const handle = this.#snapshots.size + 1;
    this.#snapshots.set(handle, [...member.state]);
    return { meta: { index: member.applied, term, confState: member.node.status().confState }, handle };
  }

  /** Takes a snapshot of what a replica has applied, and cuts its log behind it. Not while it installs one itself. */
  compact(id: number): void {
    this.take(id);
    if (this.get(id).appends.some((m) => m.snapshot !== null)) return;
    this.get(id).disk.compact(this.snapshotOf(id));
  }

  /** The state machine becomes what the snapshot holds. */
  #load(member: Member, snapshot: { readonly meta: { readonly index: number }; readonly handle: number }): void {
    const state = snapshot.handle === 0 ? [] : this.#snapshots.get(snapshot.handle);
    if (state === undefined) throw new Error("unknown snapshot");
    member.state = [...state];
    member.applied = snapshot.meta.index;
  }

  texts(id: number): string[] {
    return this.get(id).state.map((item) => item.text);
  }

  /** Terms of the log on disk, behind what is compacted. */
  terms(id: number): number[] {
    return this.get(id).disk.entriesStored.map((entry) => entry.term);
  }
}

/** A disk with a log of empty entries of these terms, as if it had been written long ago. */
export function diskWith(
  terms: readonly number[],
  voters: readonly number[],
  hard?: { term?: number; vote?: number },
): MemoryLog {
  const disk = new MemoryLog({ index: 0, term: 0, confState: { ...emptyConfState, voters } });
  terms.forEach((term, i) => {
    disk.entriesStored.push({ term, index: i + 1, type: EntryType.Normal, data: bytes(`${term}.${i + 1}`) });
  });
  disk.hardState = { term: hard?.term ?? terms.at(-1) ?? 0, vote: hard?.vote ?? 0, commit: 0 };
  return disk;
}

export { decodeConfChange, MessageType, Role };
