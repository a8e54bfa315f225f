/** What a leader says to a replica when there is nothing to append: that it leads, what is committed, how far everybody is. */
import { message, MessageType } from "./message.ts";
import type { Message } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { ProgressTracker } from "./progress-tracker.ts";

/** To be sent: `progress` counts it as sent. The term is the sender's to fill in. */
export function heartbeat(progress: Progress, tracker: ProgressTracker, self: number, commit: number): Message {
  const m = message(MessageType.Heartbeat, progress.id, self);
  // Never a commit index that the follower may not have: it could not tell whether its entry there is the leader's.
  m.commit = Math.min(progress.match, commit);
  m.index = tracker.lowestMatch();
  progress.sentCommit = m.commit;
  return m;
}
