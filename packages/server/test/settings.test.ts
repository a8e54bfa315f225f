/** Settings: every row means something, defaults < file < environment < flags, and what the user got wrong is said in one line each. */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadSettings, rowsOf, shownSettings, UsageError } from "../src/configuration.ts";
import { environmentName, foundingFacts, schemaOf, settingRows } from "../src/settings.ts";

const source = new URL("../src/", import.meta.url);
const nothing = { flags: {}, environment: {}, file: null };

function fileWith(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "headrace-settings-")), "headrace.conf");
  writeFileSync(path, text);
  return path;
}

function problemsOf(load: () => unknown): string[] {
  try {
    load();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message.split("\n");
  }
  return [];
}

describe("rows", () => {
  test("every setting is read somewhere", () => {
    const code = readdirSync(source)
      .filter((name) => name.endsWith(".ts") && !name.startsWith("settings") && name !== "configuration.ts")
      .map((name) => readFileSync(new URL(name, source), "utf8"))
      .join("\n");
    const unread = settingRows.filter(
      ({ name }) =>
        !code.includes(`ettings["${name}"]`) &&
        !code.includes(`given["${name}"]`) &&
        !code.includes(`numberOr("${name}"`),
    );
    expect(unread.map(({ name }) => name)).toEqual([]);
  });

  test("names are unique, in Redis' style, and defaults pass their own validation", () => {
    expect(new Set(settingRows.map(({ name }) => name)).size).toBe(settingRows.length);
    for (const row of settingRows) {
      expect(row.name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      if (row.default !== null) expect(schemaOf(row).safeParse(row.default), row.name).toMatchObject({ success: true });
    }
  });

  test("limits are inclusive on both ends", () => {
    for (const row of settingRows) {
      if (row.kind !== "integer" && row.kind !== "bytes") continue;
      const accepts = (value: number): boolean => schemaOf(row).safeParse(String(value)).success;
      if (row.minimum !== undefined)
        expect([accepts(row.minimum), accepts(row.minimum - 1)], row.name).toEqual([true, false]);
      if (row.maximum !== undefined)
        expect([accepts(row.maximum), accepts(row.maximum + 1)], row.name).toEqual([true, false]);
    }
  });

  test("sizes are Redis' sizes", () => {
    // redis.conf: 1k => 1000 bytes, 1kb => 1024 bytes, 1m, 1mb, 1g, 1gb; case does not matter.
    const sizes = { "1k": 1000, "1kb": 1024, "1m": 1e6, "1mb": 1024 ** 2, "1g": 1e9, "1GB": 1024 ** 3, "5000": 5000 };
    const row = settingRows.find(({ name }) => name === "memory")!;
    for (const [text, bytes] of Object.entries(sizes)) expect(schemaOf(row).parse(text), text).toBe(bytes);
    for (const wrong of ["", "12q", "mb", "-1", "1.5mb"])
      expect(schemaOf(row).safeParse(wrong).success, wrong).toBe(false);
  });
});

describe("loading", () => {
  test("a flag beats the environment, that the file, that the default", () => {
    const name = "hold-ms";
    const levels = [
      { flags: { [name]: "1004" } },
      { environment: { HEADRACE_HOLD_MS: "1003" } },
      { file: fileWith("hold-ms 1002\n") },
    ];
    fc.assert(
      fc.property(fc.subarray([0, 1, 2]), (given) => {
        const sources = Object.assign({ ...nothing }, ...given.map((level) => levels[level]));
        const expected = given.length === 0 ? 5000 : 1004 - Math.min(...given);
        expect(loadSettings("gateway", sources)[name]).toBe(expected);
      }),
    );
  });

  test("a file is YAML or redis.conf's lines", () => {
    const yaml = fileWith("# ours\nport: 7000\nfsync: no\nack: 1\nseeds: [a:1, b:2]\n");
    const lines = fileWith('# ours\nport 7000\nfsync no\nack 1\nhost "127.0.0.2"\n\n');
    expect(loadSettings("up", { ...nothing, file: yaml })).toMatchObject({ port: 7000, fsync: "no", ack: "1" });
    expect(loadSettings("node", { ...nothing, file: yaml })["seeds"]).toEqual(["a:1", "b:2"]);
    expect(loadSettings("up", { ...nothing, file: lines })).toMatchObject({ port: 7000, host: "127.0.0.2", ack: "1" });
  });

  test("all problems are said together, each with where it came from", () => {
    const file = fileWith("nosuch 1\nshards 0\n");
    const environment = { HEADRACE_PORT: "70000" };
    const problems = problemsOf(() => loadSettings("up", { flags: { ack: "2" }, environment, file }));
    expect(problems).toHaveLength(4);
    expect(problems).toEqual(
      expect.arrayContaining([
        `${file}: unknown setting nosuch`,
        `${file}: shards: must be at least 1`,
        "HEADRACE_PORT: must be at most 65535",
        "--ack: must be one of all, 1, 0",
      ]),
    );
    const missing = problemsOf(() => loadSettings("up", { ...nothing, file: "/nonexistent/file" }));
    expect(missing).toHaveLength(1);
    const slow = { ...nothing, flags: { "heartbeat-ms": "101", "election-timeout-ms": "500" } };
    expect(problemsOf(() => loadSettings("up", slow))[0]).toMatch(/fifth/);
  });

  test("an empty variable is none", () => {
    expect(loadSettings("up", { ...nothing, environment: { HEADRACE_PORT: "" } })["port"]).toBe(6379);
  });

  test("what is fixed at founding is null unless it was given", () => {
    const plain = loadSettings("up", nothing);
    expect([plain["nodes"], plain["replicas"], plain["shards"]]).toEqual([null, null, null]);
    expect(foundingFacts(plain)).toEqual({ nodes: 3, replicas: 3, shards: 8 });
    const small = loadSettings("up", { ...nothing, flags: { nodes: "1" } });
    expect(foundingFacts(small)).toEqual({ nodes: 1, replicas: 1, shards: 8 });
    const node = loadSettings("node", { ...nothing, environment: { HEADRACE_SHARDS: "4" } });
    expect([node["shards"], node["replicas"]]).toEqual([4, null]);
  });
});

test("a secret is never shown, wherever it came from and however wrong it is", () => {
  const secretRows = settingRows.filter((row) => row.secret === true);
  expect(secretRows.map(environmentName)).toEqual(["HEADRACE_CLUSTER_SECRET"]);
  const file = fileWith("cluster-secret from-the-file\n");
  for (const program of ["up", "node", "gateway"] as const) {
    for (const sources of [
      { ...nothing, environment: { HEADRACE_CLUSTER_SECRET: "s3cret-value" } },
      { ...nothing, file },
    ]) {
      const settings = loadSettings(program, sources);
      expect(settings["cluster-secret"]).toMatch(/s3cret-value|from-the-file/);
      const shown = JSON.stringify([...shownSettings(program, settings)]);
      expect(shown).not.toMatch(/secret|from-the-file/);
    }
  }
  const wrong = { ...nothing, environment: { HEADRACE_CLUSTER_SECRET: "s3cret-value", HEADRACE_PORT: "x" } };
  expect(problemsOf(() => loadSettings("up", wrong)).join()).not.toContain("s3cret");
});

test("CONFIG GET shows each setting once, under Redis' name where it has one", () => {
  for (const program of ["up", "node", "gateway"] as const) {
    const shown = shownSettings(program, loadSettings(program, nothing));
    expect(shown.size).toBe(rowsOf(program).filter((row) => row.secret !== true).length);
  }
  const up = shownSettings("up", loadSettings("up", nothing));
  expect([up.get("appendfsync"), up.get("dir"), up.get("bind")]).toEqual(["always", "./data", "127.0.0.1"]);
});
