/** Execute: requests parsed again by the node, run against the shard's state, their effects gathered in the turn's batch (steps 10 to 13), without its seal. */
import { ByteWriter } from "@headrace/bytes";
import { executeShardCommand, findCommand } from "@headrace/commands";
import { ShardState } from "@headrace/engine";
import { DecodeResult, ReplyWriter, RequestDecoder } from "@headrace/resp";
import { BenchContext, LIMITS } from "../micro/bench-context.ts";
import { LOG_TIME_MS, PER_TURN, xadds, type Step } from "./step.ts";

/** Shards that have an open batch at once, so that sealing stays outside of what is timed. */
const SHARDS = 20;

export interface OpenShard {
  readonly state: ShardState;
  readonly context: BenchContext;
  index: number;
}

export function openShards(decoder: RequestDecoder): OpenShard[] {
  return Array.from({ length: SHARDS }, () => {
    const state = new ShardState();
    const reply = new ReplyWriter(new ByteWriter(64 * 1024));
    const context = new BenchContext(decoder, reply, state, state.openBatch(1, LOG_TIME_MS));
    context.nowMs = LOG_TIME_MS;
    return { state, context, index: 1 };
  });
}

/** The requests of one turn. */
export function executeTurn({ state, context, index }: OpenShard, decoder: RequestDecoder, chunk: Uint8Array): void {
  context.reply.writer.clear();
  decoder.feed(chunk);
  let sequence = index * PER_TURN;
  while (decoder.next() === DecodeResult.request) {
    state.setOrigin(SESSION, ++sequence);
    executeShardCommand(findCommand(decoder.request), context);
  }
}

const SESSION = new Uint8Array(16);

/** Seals the batch and opens the next one; the stream is emptied now and then. Answers the sealed bytes. */
export function nextTurn(shard: OpenShard): Uint8Array {
  const { state, context } = shard;
  const payload = state.sealBatch();
  if (payload === null) throw new Error("a batch without effects");
  state.committedTo(state.index);
  if (shard.index % 50 === 0) {
    state.openBatch(++shard.index, LOG_TIME_MS).flush();
    state.sealBatch();
    state.committedTo(state.index);
  }
  context.effects = state.openBatch(++shard.index, LOG_TIME_MS + shard.index);
  context.nowMs = context.effects.logTimeMs;
  return payload;
}

export function executeStep(): Step {
  const decoder = new RequestDecoder(LIMITS);
  const chunk = xadds(PER_TURN);
  const shards = openShards(decoder);
  return {
    run: () => {
      for (const shard of shards) executeTurn(shard, decoder, chunk);
      return SHARDS * PER_TURN;
    },
    tidy: () => {
      for (const shard of shards) nextTurn(shard);
    },
  };
}
