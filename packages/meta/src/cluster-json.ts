/**
 * The cluster state as JSON: in checkpoints of the metadata group, in founding records, and as what gateways and nodes that watch it
 * receive. `{"formatVersion":1, …fields, "settings":{"ack":"all", …}}`. A newer form is refused, never guessed; what a state from before
 * changes of members lacks is what such a state meant: everybody is active and votes, and nothing is in flight. So a change without a mark has none.
 */
import { AssertionError } from "@headrace/bytes";
import { ClusterState, pickAddresses } from "./cluster-state.ts";
import type { NodeRecord, ShardRecord, SlotRange } from "./cluster-state.ts";
import type { GroupChange, ReplicaRecord } from "./group-change.ts";
import { arrayOf, idsOf, MetaFormatError, numberOf, objectOf, stringOf } from "./json-shape.ts";
import { parseAddresses } from "./meta-command.ts";
import { parseDuty } from "./node-duty.ts";
import { settingPairs, settingsFromJson } from "./settings.ts";

export const STATE_FORMAT_VERSION = 1;

export function clusterStateToJson(state: ClusterState): Record<string, unknown> {
  return {
    formatVersion: STATE_FORMAT_VERSION,
    version: state.version,
    epoch: state.epoch,
    clusterId: state.clusterId,
    featureLevel: state.featureLevel,
    nextNodeId: state.nextNodeId,
    nextReplicaId: state.nextReplicaId,
    nextChangeId: state.nextChangeId,
    replicaTarget: state.replicaTarget,
    restoredFrom: state.restoredFrom,
    nodes: state.nodes,
    metaReplicas: state.metaReplicas,
    metaChange: state.metaChange,
    shards: state.shards,
    settings: Object.fromEntries(settingPairs(state.settings)),
  };
}

/** Throws MetaFormatError when it is not a state of a form that we know. The result is verified. */
export function clusterStateFromJson(value: unknown): ClusterState {
  const fields = objectOf(value, "cluster state");
  const formatVersion = numberOf(fields, "formatVersion");
  if (formatVersion !== STATE_FORMAT_VERSION) {
    throw new MetaFormatError(`cluster state of format ${formatVersion}`);
  }
  const shards = arrayOf(fields, "shards", shardFromJson);
  const copies = Math.max(1, ...shards.map((shard) => shard.replicas.length));
  const state = new ClusterState({
    version: numberOf(fields, "version"),
    epoch: numberOf(fields, "epoch"),
    clusterId: stringOf(fields, "clusterId"),
    featureLevel: numberOf(fields, "featureLevel"),
    nextNodeId: numberOf(fields, "nextNodeId"),
    nextReplicaId: numberOf(fields, "nextReplicaId"),
    nextChangeId: fields["nextChangeId"] === undefined ? 1 : numberOf(fields, "nextChangeId"),
    replicaTarget: fields["replicaTarget"] === undefined ? copies : numberOf(fields, "replicaTarget"),
    restoredFrom: fields["restoredFrom"] === undefined ? "" : stringOf(fields, "restoredFrom"),
    nodes: arrayOf(fields, "nodes", nodeFromJson),
    metaReplicas: arrayOf(fields, "metaReplicas", replicaFromJson),
    metaChange: changeFromJson(fields["metaChange"]),
    shards,
    settings: settingsFromJson(objectOf(fields["settings"], "settings")),
  });
  checkForeign(state);
  return state;
}

/** What came from outside and contradicts the rules is a damaged record, not a mistake of this program. */
function checkForeign(state: ClusterState): void {
  try {
    state.verify();
  } catch (error) {
    if (error instanceof AssertionError) throw new MetaFormatError(error.message);
    throw error;
  }
}

function nodeFromJson(value: unknown): NodeRecord {
  const fields = objectOf(value, "node");
  return {
    id: numberOf(fields, "id"),
    joinToken: stringOf(fields, "joinToken"),
    duty: parseDuty(fields["duty"] ?? "active"),
    ...pickAddresses(parseAddresses(value)),
  };
}

function replicaFromJson(value: unknown): ReplicaRecord {
  const fields = objectOf(value, "replica");
  const isJoining = fields["isJoining"] === true;
  return { replicaId: numberOf(fields, "replicaId"), nodeId: numberOf(fields, "nodeId"), isJoining };
}

function changeFromJson(value: unknown): GroupChange | null {
  if (value === null || value === undefined) return null;
  const fields = objectOf(value, "change");
  const { stage } = fields;
  if (stage !== "adding" && stage !== "swapping" && stage !== "cancelling") {
    throw new MetaFormatError(`unknown stage ${JSON.stringify(stage)}`);
  }
  const mark = fields["mark"] === undefined ? 0 : numberOf(fields, "mark");
  return { id: numberOf(fields, "id"), adds: idsOf(fields, "adds"), removes: idsOf(fields, "removes"), stage, mark };
}

function rangeFromJson(value: unknown): SlotRange {
  const fields = objectOf(value, "slot range");
  return { from: numberOf(fields, "from"), to: numberOf(fields, "to") };
}

function shardFromJson(value: unknown): ShardRecord {
  const fields = objectOf(value, "shard");
  return {
    id: numberOf(fields, "id"),
    slotRanges: arrayOf(fields, "slotRanges", rangeFromJson),
    replicas: arrayOf(fields, "replicas", replicaFromJson),
    change: changeFromJson(fields["change"]),
    preferredReplicaId: numberOf(fields, "preferredReplicaId"),
  };
}
