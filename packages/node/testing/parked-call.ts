/** A client whose call waits at a leader that dies. */
import { assert } from "@headrace/bytes";
import { ShardCluster } from "./shard-cluster.ts";
import type { TestLane } from "./test-lane.ts";

/** What a gateway answers when it cannot say whether a call was served. */
export const UNCERTAIN = "UNCERTAIN The fate of this write is unknown: it may or may not have been executed";

export interface Survived {
  readonly cluster: ShardCluster;
  /** At the next leader, as the gateway puts the call there again: under the number 3, with 2 as its last attempt. */
  readonly again: TestLane;
}

/**
 * Three replicas; the first leads. `first`, a read, and then `call`, which waits, are sent to it; `before` runs while it does; the leader dies. `prepare` is done
 * by somebody else at the beginning.
 */
export function afterDeathOfLeader(
  { prepare, first, call }: { readonly prepare?: string; readonly first: string; readonly call: string },
  before: (cluster: ShardCluster) => void,
): Survived {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  if (prepare !== undefined) leader.lane().send(prepare);
  const lane = leader.lane();
  lane.send(first, call);
  assert(lane.parkedCalls.join() === "2", "the call waits");
  before(cluster);
  leader.crash();
  const again = cluster.awaitLeader([2, 3]).lane();
  again.session = lane.session;
  again.epoch = 2;
  again.nextNumber = 3;
  again.executedUpTo = 2;
  return { cluster, again };
}
