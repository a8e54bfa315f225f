/** Route: a parsed request to its shard: command table, key, slot, placement (step 3). */
import { slotOf } from "@headrace/bytes";
import { findCommand, findKeys } from "@headrace/commands";
import { defaultSettings, foundingPlan, Placement } from "@headrace/meta";
import { DecodeResult, RequestDecoder } from "@headrace/resp";
import { LIMITS } from "../micro/bench-context.ts";
import { xadds, type Step } from "./step.ts";

const COMMANDS = 50_000;

export function routeStep(): Step {
  const address = "127.0.0.1:7000";
  const founder = {
    joinToken: "t",
    peerAddress: address,
    dataAddress: address,
    httpAddress: address,
    announceHost: "127.0.0.1",
    announcePort: 7000,
  };
  const settings = defaultSettings;
  const plan = foundingPlan({ clusterId: "bench", founders: [founder], shardCount: 8, replicaCount: 1, settings });
  const placement = new Placement(plan);
  const decoder = new RequestDecoder(LIMITS);
  decoder.feed(xadds(1));
  if (decoder.next() !== DecodeResult.request) throw new Error("no request");
  const { request } = decoder;
  const positions: number[] = [];
  let shards = 0;
  return {
    run: () => {
      for (let i = 0; i < COMMANDS; i++) {
        const record = findCommand(request);
        if (record === null) throw new Error("no command");
        findKeys(record, request, positions);
        const key = positions[0]!;
        shards += placement.shardOf(slotOf(request.bytes, request.start(key), request.end(key)));
      }
      if (shards === 0) throw new Error("no shard");
      return COMMANDS;
    },
    tidy: () => undefined,
  };
}
