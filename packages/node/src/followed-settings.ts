/** The cluster's settings as shards read them each turn: one object for all shards of a node, which follows the metadata. */
import { isEqualRetention, NO_RETENTION, RetentionKeep } from "@headrace/engine";
import type { Retention } from "@headrace/engine";
import type { ClusterSettings } from "@headrace/meta";
import type { ShardSettings } from "./shard-api.ts";

/** Before anything is known of the cluster; nothing is executed with them. */
export function unknownSettings(): ShardSettings {
  return {
    ack: 2,
    nodeBounds: { maxEntries: 0, maxBytes: 0 },
    idempotenceWindow: { durationSeconds: 0, maxSize: 0 },
    delayedMaxEntries: 0,
    outboxMaxBytes: 0,
    retention: NO_RETENTION,
    notify: 0,
    refuseGrowth: false,
    refuseFixedMemory: false,
  };
}

export function followSettings(into: ShardSettings, settings: ClusterSettings): void {
  into.ack = settings.ack;
  into.nodeBounds = { maxEntries: settings.streamNodeMaxEntries, maxBytes: settings.streamNodeMaxBytes };
  into.idempotenceWindow = { durationSeconds: settings.streamIdmpDuration, maxSize: settings.streamIdmpMaxSize };
  into.delayedMaxEntries = settings.streamDelayedMaxEntries;
  into.outboxMaxBytes = settings.streamOutboxMaxBytes;
  into.notify = settings.notifyKeyspaceEvents;
  // The same object for the same bounds: another one makes leaders look at all long streams.
  const retention = retentionOf(settings);
  if (!isEqualRetention(into.retention, retention)) into.retention = retention;
}

function retentionOf(settings: ClusterSettings): Retention {
  return {
    ageMs: settings.streamRetentionMs,
    bytes: settings.streamRetentionBytes,
    entries: settings.streamRetentionEntries,
    keep: settings.streamRetentionKeepsUnacked ? RetentionKeep.unacknowledged : RetentionKeep.nothing,
  };
}
