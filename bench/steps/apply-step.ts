/** Apply: a follower takes a committed log entry into its state. */
import { ShardState } from "@headrace/engine";
import { sealedTurns } from "./encode-step.ts";
import { PER_TURN, type Step } from "./step.ts";

/** Fewer than the leader empties its stream after, so that every entry's predecessor is there. */
const TURNS = 40;

export function applyStep(): Step {
  const payloads = sealedTurns(TURNS);
  let follower = new ShardState();
  return {
    run: () => {
      for (const [i, payload] of payloads.entries()) follower.apply(payload, i + 1);
      return TURNS * PER_TURN;
    },
    tidy: () => {
      follower = new ShardState();
    },
  };
}
