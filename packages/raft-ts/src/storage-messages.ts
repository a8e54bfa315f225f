/**
 * What goes to this node's own disk and state machine, as messages.
 *
 *   StorageAppend  entries, snapshot, and term/vote/commit (all 0: unchanged)   responses: afterAppend…, StorageAppendResp
 *   StorageApply   committed entries, durable here                              responses: StorageApplyResp
 *
 * The StorageAppendResp names the last entry of the log, even one handed over earlier, with the term in which it was asked: an
 * acknowledgement counts only in that term. Otherwise this could happen: (T2, 5) is being written, a leader of T3 replaces it by (T3, 5), one of
 * T4 puts (T2, 5) back; the late answer for the first write must not make the third one durable. In a new term the entries still under way
 * are therefore acknowledged once more, by the first StorageAppend of that term (it has a new hard state, so there is one).
 * A commit index that is all that changed makes no message; it rides along with the next one. Source: etcd rawnode.go.
 */
import { assert } from "./invariants.ts";
import { LocalAppendThread, LocalApplyThread, message, MessageType, noEntries } from "./message.ts";
import type { Entry, Message } from "./message.ts";
import type { Raft } from "./raft.ts";

export class StorageMessages {
  #term: number;
  #vote: number;
  #commit: number;

  constructor(raft: Raft) {
    this.#term = raft.term;
    this.#vote = raft.vote;
    this.#commit = raft.log.commit;
  }

  hasAppend(raft: Raft): boolean {
    return (
      raft.afterAppend.length > 0 ||
      this.#hasNewPromise(raft) ||
      raft.log.unstable.hasNextEntries() ||
      raft.log.unstable.nextSnapshot() !== null
    );
  }

  takeAppend(raft: Raft): Message | null {
    if (!this.hasAppend(raft)) return null;
    const unstable = raft.log.unstable;
    const m = message(MessageType.StorageAppend, LocalAppendThread, raft.id);
    m.entries = unstable.nextEntries();
    m.snapshot = unstable.nextSnapshot();
    if (this.#hasNewPromise(raft) || raft.log.commit !== this.#commit) this.#recordHardState(raft, m);
    const responses = raft.afterAppend;
    raft.afterAppend = [];
    if (unstable.entries.length > 0 || m.snapshot !== null) {
      const done = message(MessageType.StorageAppendResp, raft.id, LocalAppendThread);
      done.term = raft.term;
      if (unstable.entries.length > 0) {
        done.index = unstable.lastIndex;
        done.logTerm = unstable.entries[unstable.entries.length - 1]!.term;
      }
      done.snapshot = m.snapshot;
      responses.push(done);
    }
    m.responses = responses;
    unstable.acceptInProgress();
    return m;
  }

  takeApply(raft: Raft): Message | null {
    const entries: readonly Entry[] = raft.log.takeNextCommitted();
    if (entries === noEntries || entries.length === 0) return null;
    const m = message(MessageType.StorageApply, LocalApplyThread, raft.id);
    m.entries = entries;
    const done = message(MessageType.StorageApplyResp, raft.id, LocalApplyThread);
    done.entries = entries;
    m.responses = [done];
    return m;
  }

  #hasNewPromise(raft: Raft): boolean {
    return raft.term !== this.#term || raft.vote !== this.#vote;
  }

  #recordHardState(raft: Raft, m: Message): void {
    assert(raft.term >= this.#term, "term went back");
    assert(raft.term > this.#term || this.#vote === 0 || raft.vote === this.#vote, "the vote of a term was changed");
    assert(raft.log.commit >= this.#commit, "commit went back");
    m.term = raft.term;
    m.vote = raft.vote;
    m.commit = raft.log.commit;
    this.#term = m.term;
    this.#vote = m.vote;
    this.#commit = m.commit;
  }
}
