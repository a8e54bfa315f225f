/**
 * Numbered reads (I7). A read gets a number; every append and heartbeat carries the highest number asked for when it leaves, the answer
 * echoes it, and a read is confirmed when a quorum has echoed its number or a higher one: each of those replicas still followed this leader
 * *after* the read had arrived. Numbers start again with each term of leadership, and answers of other terms never get here, so that an old
 * answer cannot confirm a new read (etcd issue 20418 is what ids without this did).
 */
import { heartbeat } from "./heartbeat.ts";
import { assert } from "./invariants.ts";
import { MessageType } from "./message.ts";
import type { Message } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { ProgressTracker } from "./progress-tracker.ts";

export class ReadIndex {
  /** The highest number given. */
  asked = 0;
  confirmed = 0;
  /** Somebody may not have been sent `asked` yet. */
  hasUnsent = false;

  reset(): void {
    this.asked = 0;
    this.confirmed = 0;
    this.hasUnsent = false;
  }

  ask(tracker: ProgressTracker, self: number): number {
    this.asked++;
    this.hasUnsent = true;
    // With one voter the quorum is the leader itself.
    this.update(tracker, self);
    return this.asked;
  }

  echo(progress: Progress, readNumber: number, tracker: ProgressTracker, self: number): void {
    if (readNumber <= progress.readEcho) return;
    assert(readNumber <= this.asked, "a read number was echoed that was never asked");
    progress.readEcho = readNumber;
    if (readNumber > this.confirmed) this.update(tracker, self);
  }

  update(tracker: ProgressTracker, self: number): void {
    if (this.confirmed === this.asked) return;
    const reached = tracker.confirmedRead(self, this.asked);
    if (reached > this.confirmed) this.confirmed = Math.min(reached, this.asked);
  }

  /** Whether the next messages have to carry a number that not everybody was sent. */
  get needsRound(): boolean {
    return this.hasUnsent && this.confirmed !== this.asked;
  }

  /**
   * Called as messages leave: writes the number into the appends and heartbeats of this term, and adds a heartbeat for each voter that gets
   * neither.
   */
  stamp(outbox: Message[], tracker: ProgressTracker, self: number, term: number, commit: number): void {
    if (this.asked === 0) return;
    for (const m of outbox) {
      if (m.term !== term || (m.type !== MessageType.App && m.type !== MessageType.Heartbeat)) continue;
      m.readNumber = this.asked;
      const progress = tracker.get(m.to);
      if (progress !== undefined) progress.readSent = this.asked;
    }
    const needsRound = this.needsRound;
    this.hasUnsent = false;
    if (!needsRound) return;
    for (const progress of tracker.all) {
      if (progress.id === self || progress.readSent >= this.asked || !tracker.isVoter(progress.id)) continue;
      const m = heartbeat(progress, tracker, self, commit);
      m.term = term;
      m.readNumber = this.asked;
      progress.readSent = this.asked;
      outbox.push(m);
    }
  }
}
