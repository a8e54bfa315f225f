/** The level of features that a cluster has agreed on. Raised only when every node knows it; a program that does not know it stops, and skips nothing. */
import type { ClusterState } from "@headrace/meta";

/** Why this program must not run in a cluster with this state; null when it may. */
export function unknownLevel(state: ClusterState, knownLevel: number): string | null {
  if (state.featureLevel <= knownLevel) return null;
  return `the cluster runs at feature level ${state.featureLevel}, this program knows ${knownLevel}: it is too old`;
}
