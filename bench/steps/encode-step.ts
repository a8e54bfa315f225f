/** Encode: the turn's effects become the bytes of one log entry (step 14). */
import { RequestDecoder } from "@headrace/resp";
import { LIMITS } from "../micro/bench-context.ts";
import { executeTurn, nextTurn, openShards } from "./execute-step.ts";
import { PER_TURN, xadds, type Step } from "./step.ts";

export function encodeStep(): Step {
  const decoder = new RequestDecoder(LIMITS);
  const chunk = xadds(PER_TURN);
  const shards = openShards(decoder);
  const execute = (): void => {
    for (const shard of shards) executeTurn(shard, decoder, chunk);
  };
  execute();
  return {
    run: () => {
      for (const shard of shards) nextTurn(shard);
      return shards.length * PER_TURN;
    },
    tidy: execute,
  };
}

/** Log entries as a busy shard makes them, in order. */
export function sealedTurns(count: number): Uint8Array[] {
  const decoder = new RequestDecoder(LIMITS);
  const chunk = xadds(PER_TURN);
  const [shard] = openShards(decoder);
  return Array.from({ length: count }, () => {
    executeTurn(shard!, decoder, chunk);
    return Uint8Array.from(nextTurn(shard!));
  });
}
