import type { Done } from "./result.ts";

/** One shard of a backup: what its leader's store held at this index. */
export interface BackupShard {
  readonly shardId: number;
  /** Both ends included. */
  readonly slots: readonly { readonly from: number; readonly to: number }[];
  readonly index: number;
  readonly term: number;
  readonly chunks: number;
}

export interface BackupContent {
  /** Digest of everything in it: two copies of a backup have the same. */
  readonly id: string;
  /** Of the cluster that it was taken from. */
  readonly clusterId: string;
  readonly featureLevel: number;
  /** Copies that were wanted there. */
  readonly replicas: number;
  /** Settings of the cluster, as names and texts. */
  readonly settings: Readonly<Record<string, string>>;
  readonly shards: readonly BackupShard[];
}

/** A backup that a cluster is founded from. It does not change while it is read. */
export interface BackupReader {
  /** Reads all of it. `corrupt`: damaged or not complete; `unsupported`: of a form that this program does not know. */
  verify(done: Done<BackupContent>): void;
  /** A chunk of a shard's rows, from 0, as its leader made it. Only after `verify`. Owned by the receiver; not to be believed unchecked. */
  chunk(shardId: number, number: number, done: Done<Uint8Array>): void;
}
