/** A leader's view of one replica: as a plain object, and in etcd's words. */
import type { Progress } from "../../src/progress.ts";
import { ProgressState } from "../../src/progress.ts";

const stateNames: Record<number, string> = {
  [ProgressState.probe]: "StateProbe",
  [ProgressState.replicate]: "StateReplicate",
  [ProgressState.snapshot]: "StateSnapshot",
};

export interface ProgressJson {
  readonly id: number;
  readonly state: string;
  readonly match: number;
  readonly next: number;
  readonly learner: boolean;
  readonly paused: boolean;
  readonly pendingSnapshot: number;
  readonly recentActive: boolean;
  readonly inflight: number;
  readonly isInflightFull: boolean;
}

export function progressJson(of: Progress): ProgressJson {
  return {
    id: of.id,
    state: stateNames[of.state]!,
    match: of.match,
    next: of.next,
    learner: of.isLearner,
    paused: of.isPaused(),
    pendingSnapshot: of.pendingSnapshot,
    recentActive: of.recentActive,
    inflight: of.inflights.count,
    isInflightFull: of.inflights.isFull(),
  };
}

export function describeProgressJson(of: ProgressJson): string {
  let text = `${of.state} match=${of.match} next=${of.next}`;
  if (of.learner) text += " learner";
  if (of.paused) text += " paused";
  if (of.pendingSnapshot > 0) text += ` pendingSnap=${of.pendingSnapshot}`;
  if (!of.recentActive) text += " inactive";
  if (of.inflight > 0) text += ` inflight=${of.inflight}${of.isInflightFull ? "[full]" : ""}`;
  return text;
}

export function describeProgress(progress: Progress): string {
  return describeProgressJson(progressJson(progress));
}
