/** What nodes say of their Raft groups over HTTP: who leads what, in which term. For tests, demo and benchmarks. */
import type { RunningNode } from "./local-cluster.ts";

/** One row of `/status`; the metadata group is group 0. */
export interface GroupStatus {
  readonly groupId: number;
  /** follower, preCandidate, candidate or leader */
  readonly role: string;
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  readonly leaderNodeId: number;
}

export interface GroupLeaders {
  /** group → the node that leads it; by the highest term where a deposed leader does not know yet. */
  readonly nodes: ReadonlyMap<number, number>;
  /** group → highest term that any node speaks of. */
  readonly terms: ReadonlyMap<number, number>;
}

const ANSWER_WITHIN_MS = 500;

/** A node's groups; null when it does not answer in time (dead, stopped, starting). */
export async function groupsOf(node: Pick<RunningNode, "httpPort">): Promise<readonly GroupStatus[] | null> {
  try {
    const response = await fetch(`http://127.0.0.1:${node.httpPort}/status`, {
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    return ((await response.json()) as { groups?: readonly GroupStatus[] }).groups ?? [];
  } catch {
    return null;
  }
}

export async function groupLeaders(nodes: readonly Pick<RunningNode, "id" | "httpPort">[]): Promise<GroupLeaders> {
  const leaders = new Map<number, { readonly node: number; readonly term: number }>();
  const terms = new Map<number, number>();
  const answers = await Promise.all(nodes.map(async (node) => ({ node, groups: await groupsOf(node) })));
  for (const { node, groups } of answers) {
    for (const { groupId, role, term } of groups ?? []) {
      terms.set(groupId, Math.max(terms.get(groupId) ?? 0, term));
      if (role === "leader" && term >= (leaders.get(groupId)?.term ?? 0)) leaders.set(groupId, { node: node.id, term });
    }
  }
  return { nodes: new Map([...leaders].map(([group, leader]) => [group, leader.node])), terms };
}

/** Whether the process behind the port says that it is ready. */
export async function isReady(place: { readonly httpPort: number }): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${place.httpPort}/readyz`, {
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    return response.ok;
  } catch {
    return false;
  }
}
