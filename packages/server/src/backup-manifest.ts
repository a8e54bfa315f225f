/**
 * `manifest.json` of a backup: what is in it, and the digest of everything. Written last: a directory without it is no backup.
 *
 *   { "format": "headrace-backup", "formatVersion": 1, …, "shards": [{ "shardId": 1, "file": "shard-00001.rows", "sha256": "…", … }], "sha256": "…" }
 *
 * The last field is the SHA-256 of the text with that field empty. The text is exactly what `encodeManifest` makes, so that a changed byte anywhere
 * shows, blanks included.
 */
import { createHash } from "node:crypto";
import type { BackupShard } from "@headrace/ports";

export const BACKUP_FORMAT_VERSION = 1;
const FORMAT = "headrace-backup";

/** The backup can't be used; the message is one line for the operator. `isUnknown`: it is of a newer program, not damaged. */
export class BackupError extends Error {
  override name: string = "BackupError";
  readonly isUnknown: boolean;

  constructor(message: string, isUnknown: boolean = false) {
    super(message);
    this.isUnknown = isUnknown;
  }
}

export interface ManifestShard extends BackupShard {
  /** Log time of the entry at `index`, ms of Unix time. */
  readonly logTimeMs: number;
  readonly file: string;
  readonly bytes: number;
  readonly rows: number;
  readonly sha256: string;
}

export interface Manifest {
  /** Version of the program that wrote it. */
  readonly headrace: string;
  readonly clusterId: string;
  readonly featureLevel: number;
  readonly replicas: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly shards: readonly ManifestShard[];
}

export function encodeManifest(manifest: Manifest): string {
  const { headrace, clusterId, featureLevel, replicas, startedAt, finishedAt, settings, shards } = manifest;
  const text = (sha256: string): string => {
    const fields = {
      format: FORMAT,
      formatVersion: BACKUP_FORMAT_VERSION,
      headrace,
      clusterId,
      featureLevel,
      replicas,
    };
    const listed = shards.map((shard) => ({ ...shard, slots: shard.slots.map(({ from, to }) => ({ from, to })) }));
    const all = { ...fields, startedAt, finishedAt, settings, shards: listed, sha256 };
    return `${JSON.stringify(all, null, 1)}\n`;
  };
  return text(createHash("sha256").update(text("")).digest("hex"));
}

/** Throws BackupError. `id` is the manifest's digest. */
export function parseManifest(text: string): Manifest & { readonly id: string } {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new BackupError(`its manifest is damaged: ${(error as Error).message}`);
  }
  if (typeof fields !== "object" || fields === null || fields["format"] !== FORMAT) {
    throw new BackupError("its manifest is not one of a backup");
  }
  const { formatVersion, sha256 } = fields;
  if (typeof formatVersion === "number" && formatVersion > BACKUP_FORMAT_VERSION && isUnharmed(text, sha256)) {
    const by = `written by headrace ${String(fields["headrace"])}`;
    throw new BackupError(`it has format ${formatVersion}, ${by}; this one knows ${BACKUP_FORMAT_VERSION}`, true);
  }
  // What is not exactly what was written has not the fields that it should have, or another digest.
  const manifest = fields as unknown as Manifest & { readonly sha256: string };
  if (typeof sha256 !== "string" || !Array.isArray(manifest.shards) || !isUnharmed(text, sha256)) {
    throw new BackupError("its manifest does not match its checksum");
  }
  return { ...manifest, id: sha256 };
}

/** The rule of every version: the digest of the text with the last field empty. */
function isUnharmed(text: string, sha256: unknown): boolean {
  if (typeof sha256 !== "string" || sha256.length !== 64) return false;
  const field = `"sha256": "${sha256}"\n}\n`;
  if (!text.endsWith(field)) return false;
  const without = `${text.slice(0, -field.length)}"sha256": ""\n}\n`;
  return createHash("sha256").update(without).digest("hex") === sha256;
}
