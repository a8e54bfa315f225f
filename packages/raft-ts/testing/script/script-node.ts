/**
 * One node of a script: Raft, its storage, the two queues of local work, and a state machine that appends the bytes of every entry it applies.
 * Also keeps what happened to it since the report before: what it sent, and what its local threads let go.
 */
import { decodeConfChange, EntryType, MessageType } from "../../src/index.ts";
import type { ConfState, Entry, HardState, Message, RaftConfig, Snapshot } from "../../src/index.ts";
import { ScriptedRaft } from "./scripted-raft.ts";
import type { Ready, ScriptedOptions } from "./scripted-raft.ts";
import type { ScriptStorage } from "./script-storage.ts";

export class ScriptNode {
  readonly id: number;
  readonly scripted: ScriptedRaft;
  readonly storage: ScriptStorage;
  appendWork: Message[] = [];
  applyWork: Message[] = [];
  /** The state machine. */
  content: string;
  sent: Message[] = [];
  released: Message[] = [];
  readonly #contents: Map<number, string>;

  constructor(config: RaftConfig, options: ScriptedOptions, storage: ScriptStorage, contents: Map<number, string>) {
    this.id = config.id;
    this.storage = storage;
    this.scripted = new ScriptedRaft(config, storage, options);
    this.#contents = contents;
    this.content = contents.get(storage.newest.handle) ?? "";
  }

  /** Takes a Ready and does with it what etcd's test environment does. An error text, or null. */
  processReady(network: Message[], show: (ready: Ready) => void): string | null {
    const ready = this.scripted.ready();
    show(ready);
    if (!this.scripted.isAsync) {
      const error = this.#write(ready.hard, ready.entries, ready.snapshot);
      if (error !== null) return error;
      this.#apply(ready.committed);
    }
    this.sent.push(...ready.messages);
    for (const m of ready.messages) {
      if (m.type === MessageType.StorageAppend) this.appendWork.push(m);
      else if (m.type === MessageType.StorageApply) this.applyWork.push(m);
      else network.push(m);
    }
    if (!this.scripted.isAsync) this.scripted.advance();
    return null;
  }

  processAppend(m: Message, network: Message[]): string | null {
    const hard =
      m.term === 0 && m.vote === 0 && m.commit === 0 ? null : { term: m.term, vote: m.vote, commit: m.commit };
    const error = this.#write(hard, m.entries, m.snapshot);
    if (error !== null) return error;
    this.#release(m, network);
    return null;
  }

  processApply(m: Message, network: Message[]): void {
    this.#apply(m.entries);
    this.#release(m, network);
  }

  #release(m: Message, network: Message[]): void {
    this.released.push(...m.responses);
    network.push(...m.responses);
  }

  #write(hard: HardState | null, entries: readonly Entry[], snapshot: Snapshot | null): string | null {
    if (hard !== null) this.storage.hardState = hard;
    if (snapshot === null) {
      this.storage.append(entries);
      return null;
    }
    if (entries.length > 0) return "can't apply snapshot and entries at the same time";
    const error = this.storage.applySnapshot(snapshot);
    if (error !== null) return error;
    this.content = this.#contents.get(snapshot.handle) ?? "";
    this.storage.newest = snapshot;
    return null;
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      let confState: ConfState = this.storage.newest.meta.confState;
      if (entry.type === EntryType.Normal) {
        this.content += new TextDecoder().decode(entry.data);
      } else {
        confState = this.scripted.applyConfChange(entry);
        const { context } = decodeConfChange(entry.data, entry.type === EntryType.ConfChangeV2);
        this.content += new TextDecoder().decode(context);
      }
      const handle = this.#contents.size + 1;
      this.#contents.set(handle, this.content);
      this.storage.newest = { meta: { index: entry.index, term: entry.term, confState }, handle };
    }
  }
}
