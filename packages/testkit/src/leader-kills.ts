/** Kill -9 of whoever leads a shard or serves clients, and the wait until others have taken over and everything is up again. For tests, examples and benchmarks. */
import { setTimeout as pause } from "node:timers/promises";
import { SLOT_COUNT, slotOfKey } from "@headrace/bytes";
import { groupLeaders, isReady } from "./group-status.ts";
import { processGone, signal, type LocalCluster, type RunningNode } from "./local-cluster.ts";

const LOOK_EVERY_MS = 20;
const WHOLE_WITHIN_MS = 60_000;

/** The Raft group of a key's slot in a cluster of `shards`: the slots are dealt in equal ranges at founding, and group 0 is the metadata group. */
export function groupOfKey(key: string, shards: number): number {
  const slot = slotOfKey(key);
  for (let shard = 0; ; shard++) if (slot < Math.floor(((shard + 1) * SLOT_COUNT) / shards)) return shard + 1;
}

/** Kills the group's leader; resolves when another node leads it. The supervisor starts the killed one again. */
export async function killLeader(cluster: LocalCluster, group: number): Promise<RunningNode> {
  const giveUpMs = performance.now() + WHOLE_WITHIN_MS;
  let leader: RunningNode | undefined;
  while (leader === undefined) {
    leader = await leaderOf(cluster, group);
    await waited(giveUpMs, `group ${group} has no leader`);
  }
  signal(leader.pid, "SIGKILL");
  await processGone(leader.pid);
  for (;;) {
    const next = await leaderOf(cluster, group);
    if (next !== undefined && next.pid !== leader.pid) return leader;
    await waited(giveUpMs, `nobody took over group ${group} from node ${leader.id}`);
  }
}

/** Kills the gateway, and with it every client's connection; resolves when it serves again. */
export async function killGateway(cluster: LocalCluster): Promise<void> {
  const giveUpMs = performance.now() + WHOLE_WITHIN_MS;
  const [gateway] = cluster.places().gateways;
  signal(gateway!.pid, "SIGKILL");
  await processGone(gateway!.pid);
  for (;;) {
    const [again] = cluster.places().gateways;
    if (again!.pid > 0 && again!.pid !== gateway!.pid && (await isReady(again!))) return;
    await waited(giveUpMs, "the gateway did not become ready again");
  }
}

/** Every node runs and says that it is ready. `gone`: one that was killed, whose place has to have another process. */
export async function wholeAgain(cluster: LocalCluster, gone: RunningNode): Promise<void> {
  const giveUpMs = performance.now() + WHOLE_WITHIN_MS;
  for (;;) {
    const { nodes } = cluster.places();
    const isBack = nodes.some(({ id, pid }) => id === gone.id && pid !== gone.pid && pid > 0);
    if (isBack && (await Promise.all(nodes.map(isReady))).every(Boolean)) return;
    await waited(giveUpMs, `node ${gone.id} did not become ready again`);
  }
}

async function leaderOf(cluster: LocalCluster, group: number): Promise<RunningNode | undefined> {
  const { nodes } = cluster.places();
  const { nodes: leaders } = await groupLeaders(nodes);
  return nodes.find(({ id, pid }) => id === leaders.get(group) && pid > 0);
}

async function waited(giveUpMs: number, failure: string): Promise<void> {
  if (performance.now() > giveUpMs) throw new Error(failure);
  await pause(LOOK_EVERY_MS);
}
