/** A leader's view of one replica in etcd's words. */
import type { Progress } from "../../src/progress.ts";
import { ProgressState } from "../../src/progress.ts";

export const stateNames: Record<number, string> = {
  [ProgressState.probe]: "StateProbe",
  [ProgressState.replicate]: "StateReplicate",
  [ProgressState.snapshot]: "StateSnapshot",
};

export function describeProgress(progress: Progress): string {
  let text = `${stateNames[progress.state]} match=${progress.match} next=${progress.next}`;
  if (progress.isLearner) text += " learner";
  if (progress.isPaused()) text += " paused";
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.recentActive) text += " inactive";
  if (progress.inflights.count > 0) {
    text += ` inflight=${progress.inflights.count}${progress.inflights.isFull() ? "[full]" : ""}`;
  }
  return text;
}
