/** What a data directory must be like, and that a start takes from it what was fixed when it was founded. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadSettings, UsageError } from "../src/configuration.ts";
import { claimDirectory, DATA_FORMAT_VERSION, inspectDirectory, StartError } from "../src/data-directory.ts";
import { nodeLayouts, prepareUp } from "../src/up.ts";

function freshPath(): string {
  return join(mkdtempSync(join(tmpdir(), "headrace-data-")), "data");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", () => done(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => done(true)));
  });
}

/** Below the ports that the system gives to connections: three nodes find theirs free from here on. */
async function freeBase(): Promise<number> {
  const offsets = [0, 1, 2, 10, 11, 12, 20, 21, 22];
  for (let base = 20_000 + (process.pid % 1000) * 10; ; base += 30) {
    const free = await Promise.all(offsets.map((offset) => isFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
}

describe("a directory", () => {
  test("that is new is made, marked, and taken again; hidden files and lost+found are no strangers", () => {
    const path = freshPath();
    mkdirSync(path);
    mkdirSync(join(path, "lost+found"));
    writeFileSync(join(path, ".keep"), "");
    expect(inspectDirectory(path, "node", {})).toBeNull();
    expect(existsSync(join(path, "headrace.json"))).toBe(false);
    claimDirectory(path, "node", {});
    const marker = JSON.parse(readFileSync(join(path, "headrace.json"), "utf8")) as unknown;
    expect(marker).toEqual({ formatVersion: DATA_FORMAT_VERSION, kind: "node", fixed: {} });
    claimDirectory(path, "node", {});
  });

  test("of somebody else, of a newer format, of another kind, or with a broken marker is refused and left alone", () => {
    const cases: [content: Record<string, string>, RegExp][] = [
      [{ "letter.txt": "dear" }, /not empty and not Headrace's/],
      [{ "headrace.json": `{"formatVersion":${DATA_FORMAT_VERSION + 1},"kind":"node"}` }, /newer Headrace/],
      [{ "headrace.json": `{"formatVersion":1,"kind":"cluster"}` }, /belongs to a cluster/],
      [{ "headrace.json": "{" }, /cannot be read/],
      [{ "headrace.json": "{}" }, /another form/],
    ];
    for (const [content, text] of cases) {
      const path = freshPath();
      mkdirSync(path);
      for (const [name, value] of Object.entries(content)) writeFileSync(join(path, name), value);
      expect(() => claimDirectory(path, "node", {})).toThrow(text);
      expect(() => claimDirectory(path, "node", {})).toThrow(StartError);
      for (const [name, value] of Object.entries(content)) expect(readFileSync(join(path, name), "utf8")).toBe(value);
    }
  });

  test("that cannot be written is refused", () => {
    const file = join(mkdtempSync(join(tmpdir(), "headrace-data-")), "file");
    writeFileSync(file, "");
    expect(() => claimDirectory(join(file, "data"), "node", {})).toThrow(/cannot be written/);
    const closed = freshPath();
    mkdirSync(closed);
    chmodSync(closed, 0o500);
    // The superuser may write everywhere.
    if (process.getuid?.() !== 0) expect(() => claimDirectory(closed, "node", {})).toThrow(/cannot be written/);
  });
});

describe("headrace up", () => {
  const start = async (path: string, flags: Record<string, string>): ReturnType<typeof prepareUp> => {
    const common = { data: path, port: "0", "http-port": "0", "base-port": String(await freeBase()) };
    return prepareUp(loadSettings("up", { flags: { ...common, ...flags }, environment: {}, file: null }));
  };

  test("takes what its data was founded with when nothing else was asked for", async () => {
    const path = freshPath();
    const founded = await start(path, { nodes: "1", shards: "4" });
    expect(founded).toMatchObject({ nodes: 1, replicas: 1, shards: 4 });
    const again = await start(path, {});
    expect(again).toMatchObject({ nodes: 1, replicas: 1, shards: 4 });
    expect(nodeLayouts(again)).toHaveLength(1);
    await expect(start(path, { shards: "4" })).resolves.toMatchObject({ shards: 4 });
  });

  test("refuses a flag that contradicts the data, in one line that names both", async () => {
    const path = freshPath();
    await start(path, { nodes: "1" });
    await expect(start(path, { shards: "4" })).rejects.toThrow(/^--shards 4 contradicts .* founded with shards 8$/);
    await expect(start(path, { replicas: "3" })).rejects.toThrow(StartError);
  });

  test("more replicas than nodes are a wrong usage", async () => {
    await expect(start(freshPath(), { nodes: "2", replicas: "3" })).rejects.toThrow(UsageError);
  });

  test("a port in use is one line, and fixes nothing in an empty directory", async () => {
    const path = freshPath();
    const taken = createServer();
    await new Promise<void>((listening) => taken.listen(0, "127.0.0.1", listening));
    const { port } = taken.address() as AddressInfo;
    try {
      await expect(start(path, { port: String(port), shards: "2" })).rejects.toThrow(
        new RegExp(`^127\\.0\\.0\\.1:${port} is already in use; choose another with --port$`),
      );
    } finally {
      await new Promise((closed) => taken.close(closed));
    }
    await expect(start(path, { shards: "4" })).resolves.toMatchObject({ shards: 4 });
  });
});
