/** A backup on disk is what was written, all of it, or it is none: every changed bit and every missing byte is noticed. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BackupContent, Result } from "@headrace/ports";
import { beforeAll, describe, expect, test } from "vitest";
import { BackupDirectory, beginBackup, finishBackup, ShardFileWriter } from "../src/backup-directory.ts";
import {
  BackupError,
  encodeManifest,
  parseManifest,
  type Manifest,
  type ManifestShard,
} from "../src/backup-manifest.ts";

const folder = mkdtempSync(join(tmpdir(), "headrace-backup-"));
const whole = join(folder, "whole");
const chunks = new Map([
  [1, ["one", "two", "three"]],
  [2, [""]],
]);

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

async function written(directory: string): Promise<Manifest> {
  const shards: ManifestShard[] = [];
  for (const [shardId, texts] of chunks) {
    const file = await ShardFileWriter.create(directory, shardId);
    for (const text of texts) await file.append(bytesOf(text));
    const slots = [{ from: (shardId - 1) * 8192, to: shardId * 8192 - 1 }];
    shards.push({ shardId, slots, index: 7, term: 2, logTimeMs: 1234, rows: 3, ...(await file.finish()) });
  }
  const times = { startedAt: "2026-01-01T00:00:00.000Z", finishedAt: "2026-01-01T00:00:01.000Z" };
  return {
    headrace: "1.2.3",
    clusterId: "c1",
    featureLevel: 1,
    replicas: 3,
    ...times,
    settings: { ack: "all" },
    shards,
  };
}

function verified(directory: string): Promise<Result<BackupContent>> {
  return new Promise((done) => new BackupDirectory(directory).verify(done));
}

async function objection(directory: string): Promise<string> {
  const result = await verified(directory);
  return result.ok ? "" : result.message;
}

beforeAll(async () => {
  beginBackup(whole);
  finishBackup(whole, await written(whole));
});

test("what was written is read: the content and every chunk", async () => {
  const reader = new BackupDirectory(whole);
  const content = await new Promise<Result<BackupContent>>((done) => reader.verify(done));
  expect(content).toMatchObject({ ok: true, value: { clusterId: "c1", replicas: 3, settings: { ack: "all" } } });
  expect(readdirSync(whole).sort()).toEqual(["manifest.json", "shard-00001.rows", "shard-00002.rows"]);
  for (const [shardId, texts] of chunks) {
    for (const [number, text] of texts.entries()) {
      const chunk = await new Promise<Result<Uint8Array>>((done) => reader.chunk(shardId, number, done));
      expect(chunk.ok && Buffer.from(chunk.value).toString("latin1")).toBe(text);
    }
  }
});

describe("damage", () => {
  const copy = join(folder, "copy");

  test.each(["manifest.json", "shard-00001.rows", "shard-00002.rows"])("every bit of %s counts", async (name) => {
    cpSync(whole, copy, { recursive: true });
    const path = join(copy, name);
    const original = readFileSync(path);
    for (let offset = 0; offset < original.length; offset++) {
      const bit = 1 << (offset % 8);
      const flipped = Buffer.from(original);
      flipped[offset]! ^= bit;
      writeFileSync(path, flipped);
      expect(await objection(copy), `bit ${bit} of byte ${offset}`).not.toBe("");
    }
    writeFileSync(path, original);
    expect(await objection(copy)).toBe("");
  });

  test.each(["manifest.json", "shard-00001.rows", "shard-00002.rows"])(
    "every byte that %s lacks is missed",
    async (name) => {
      cpSync(whole, copy, { recursive: true });
      const path = join(copy, name);
      const original = readFileSync(path);
      for (let length = original.length - 1; length >= 0; length--) {
        truncateSync(path, length);
        expect(await objection(copy), `${length} bytes`).not.toBe("");
      }
      writeFileSync(path, Buffer.concat([original, Buffer.from([0])]));
      expect(await objection(copy), "one byte more").not.toBe("");
      rmSync(path);
      expect(await objection(copy)).toMatch(name === "manifest.json" ? /holds no backup/ : /is missing$/);
      writeFileSync(path, original);
    },
  );

  test("two files that have changed places are noticed", async () => {
    cpSync(whole, copy, { recursive: true });
    cpSync(join(whole, "shard-00001.rows"), join(copy, "shard-00002.rows"));
    cpSync(join(whole, "shard-00002.rows"), join(copy, "shard-00001.rows"));
    expect(await objection(copy)).toContain("shard-00001.rows has ");
  });
});

test("a newer form is not called damaged, and is refused", async () => {
  const directory = join(folder, "newer");
  mkdirSync(directory);
  const { id } = parseManifest(readFileSync(join(whole, "manifest.json"), "utf8"));
  const newer = readFileSync(join(whole, "manifest.json"), "utf8")
    .replace('"formatVersion": 1', '"formatVersion": 2')
    .replace(`"sha256": "${id}"\n}\n`, '"sha256": ""\n}\n');
  const digest = createHash("sha256").update(newer).digest("hex");
  writeFileSync(join(directory, "manifest.json"), newer.replace('"sha256": ""\n}\n', `"sha256": "${digest}"\n}\n`));
  expect(await verified(directory)).toEqual({
    ok: false,
    reason: "unsupported",
    message: `backup ${directory}: it has format 2, written by headrace 1.2.3; this one knows 1`,
  });
});

describe("the directory", () => {
  test("is refused when it holds a backup, or anything that is not of one", () => {
    expect(() => beginBackup(whole)).toThrow(/holds a complete backup already/);
    const foreign = join(folder, "foreign");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "letter.txt"), "");
    expect(() => beginBackup(foreign)).toThrow(/is not empty \(found letter.txt\)/);
    expect(existsSync(join(foreign, "letter.txt"))).toBe(true);
  });

  test("of a backup that was not finished is no backup, and is begun anew with nothing of it", async () => {
    const directory = join(folder, "half");
    beginBackup(directory);
    await written(directory);
    const half = await ShardFileWriter.create(directory, 3);
    await half.append(bytesOf("half"));
    await half.abandon();
    expect(await objection(directory)).toBe(
      `${directory} holds a backup that was not finished: there is no manifest.json`,
    );
    beginBackup(directory);
    expect(readdirSync(directory)).toEqual(["incomplete"]);
    finishBackup(directory, await written(directory));
    expect(await objection(directory)).toBe("");
  });

  test("on a disk that is full is told of in one line", async () => {
    const directory = join(folder, "full");
    beginBackup(directory);
    const message = `${directory} cannot be written: ENOSPC: no space left on device, write`;
    symlinkSync("/dev/full", join(directory, "shard-00001.rows.part"));
    const file = await ShardFileWriter.create(directory, 1);
    await expect(file.append(bytesOf("one"))).rejects.toThrow(new BackupError(message));
    await file.abandon();
    symlinkSync("/dev/full", join(directory, "manifest.json.part"));
    const manifest = parseManifest(readFileSync(join(whole, "manifest.json"), "utf8"));
    expect(() => finishBackup(directory, manifest)).toThrow(new BackupError(message));
    rmSync(directory, { recursive: true });
    await expect(ShardFileWriter.create(directory, 2)).rejects.toThrow(BackupError);
  });

  test("may lose the last step of all: with its manifest it is complete", async () => {
    const directory = join(folder, "last");
    cpSync(whole, directory, { recursive: true });
    writeFileSync(join(directory, "incomplete"), "");
    expect(await objection(directory)).toBe("");
    expect(() => beginBackup(directory)).toThrow(/holds a complete backup already/);
  });
});

test("two copies have one id, and what differs has another", async () => {
  const manifest = parseManifest(readFileSync(join(whole, "manifest.json"), "utf8"));
  const { id, ...fields } = manifest;
  expect(parseManifest(encodeManifest(fields)).id).toBe(id);
  expect(parseManifest(encodeManifest({ ...fields, clusterId: "c2" })).id).not.toBe(id);
});
