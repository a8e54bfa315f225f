/**
 * What the documents say is run or compared: the README's commands against a real cluster, its table of settings with the table that the program
 * uses, `--help` with every flag, and every file that ARCHITECTURE.md names with the tree.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalCluster } from "@headrace/testkit";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { rowsOf } from "../packages/server/src/configuration.ts";
import { environmentName } from "../packages/server/src/settings.ts";
import { settingsTable } from "../packages/server/src/settings-table.ts";
import { mutants } from "./sim/mutants.ts";
import { mutated } from "./sim/mutate.ts";
import { shellWords, testedCommands } from "./tested-commands.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const main = join(root, "packages/server/src/main.ts");

describe("README.md", () => {
  test("its first minute gives the replies that Redis' documentation promises", async () => {
    const cluster = await LocalCluster.start({ flags: ["--shards", "2"] });
    const redis = new Redis(cluster.url, { protocol: 2 });
    try {
      const replies: unknown[] = [];
      const commands = testedCommands(readme).map(shellWords);
      for (const [program, command, ...args] of commands) {
        expect(program).toBe("redis-cli");
        replies.push(await redis.call(command!, ...args));
      }
      // XADD: the id. XRANGE: [id, fields]. XREADGROUP (RESP2): [key, entries]. XPENDING: count, lowest, highest, [consumer, count]. XACK, XLEN: counts.
      const first = ["1-0", ["rider", "Castilla", "speed", "30.2"]];
      const second = ["2-0", ["rider", "Norem", "speed", "28.8"]];
      expect(replies).toEqual([
        "1-0",
        "2-0",
        [first, second],
        "OK",
        [["race:{france}", [first]]],
        [1, "1-0", "1-0", [["ann", "1"]]],
        1,
        "3-0",
        3,
        "OK",
        3,
        ["3", null],
        2,
        1,
        expect.arrayContaining(["1-0", "2-0"]),
        2,
        4,
        ["name", "Norem", "stage", "4"],
        "OK",
        "OK",
        "OK",
        "OK",
        "stream-retention-bytes 0 stream-retention-entries 0 stream-retention-keep none stream-retention-ms 2592000000".split(
          " ",
        ),
        "OK",
        "OK",
        0,
        "OK",
        "OK",
        "OK",
        "OK",
        // Which number the handle has depends on what the shard did before.
        expect.stringMatching(/^d\d+$/),
        [[expect.stringMatching(/^d\d+$/), expect.any(Number), ["rider", "Prem", "speed", "29.9"]]],
        expect.any(Number),
        "OK",
        "OK",
        "OK",
        "OK",
      ]);
    } finally {
      redis.disconnect();
      await cluster.destroy();
    }
  });

  test("its table of settings is the program's", () => {
    const written = /<!-- settings -->\n([^]*?)\n<!-- \/settings -->/.exec(readme)?.[1];
    expect(written, "run `npm run docs:settings`").toBe(settingsTable());
  });

  test("every `npm run` that it and CONTRIBUTING.md speak of is a script", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    for (const text of [readme, readFileSync(join(root, "CONTRIBUTING.md"), "utf8")]) {
      for (const [, name] of text.matchAll(/npm run ([a-z:-]+)/g)) expect(scripts).toHaveProperty([name!]);
    }
  });
});

describe("--help", () => {
  test.each(["up", "node", "gateway"] as const)("`headrace %s` shows every setting that it reads", (program) => {
    const help = execFileSync(process.execPath, [main, program, "--help"], { encoding: "utf8" });
    for (const row of rowsOf(program)) {
      const name = row.secret === true ? environmentName(row) : `--${row.name}`;
      expect(help).toContain(name);
      if (row.secret === true) expect(help, "a secret has no flag").not.toContain(`--${row.name}`);
    }
  });
});

describe("ARCHITECTURE.md", () => {
  const architecture = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");

  test("every file that it names is there", () => {
    const named = new Set(
      [...architecture.matchAll(/[\w./-]+\.(?:ts|md|proto|mjs|yml|txt)\b/g)].map((match) => match[0]),
    );
    const missing = [...named].filter((name) => resolveName(name) === null);
    expect(missing).toEqual([]);
    expect(named.size).toBeGreaterThan(30);
  });

  test("functions that the straight paths name are in the files that they are said to be in", () => {
    // `room/file.ts name`: a path and, behind it, a function, method or class in backticks.
    const pairs = [...architecture.matchAll(/`([\w-]+\/[\w./-]+\.ts)` `([#\w]+)`/g)];
    const missing = pairs
      .filter(([, file, name]) => !new RegExp(`(^|[^\\w])${name!}\\b`).test(readFileSync(resolveName(file!)!, "utf8")))
      .map(([, file, name]) => `${file!} has no ${name!}`);
    expect(missing).toEqual([]);
    expect(pairs.length).toBeGreaterThan(20);
  });

  test("its table of rooms says what the import table in tidy.test.ts says", () => {
    const tidy = readFileSync(join(root, "test/tidy.test.ts"), "utf8");
    const block = /const imports[^]*?= \{\n([^]*?)\n\};/.exec(tidy)![1]!;
    const rows = [...block.matchAll(/^ {2}"?([\w-]+)"?: \[(.*)\],$/gm)].filter((row) => !row[2]!.includes("..."));
    expect(rows.length).toBeGreaterThan(12);
    for (const [, room, list] of rows) {
      const cell = new RegExp(`^\\| \`${room!}\` \\|[^|]*\\| ([^|]*) \\|$`, "m").exec(architecture)?.[1];
      expect(cell, room!).toBeDefined();
      const shown = [...cell!.matchAll(/`([\w-]+)`/g)].map((match) => match[1]!);
      expect(shown, room!).toEqual([...list!.matchAll(/"([\w-]+)"/g)].map((match) => match[1]!));
    }
  });

  test("its table of invariants names every mutant, marks those that a test notices, and no other", () => {
    const rows = [...architecture.matchAll(/^\| (I\d+) \|[^\n]*\| ([^|\n]*) \|$/gm)];
    expect(rows.map(([, invariant]) => invariant)).toEqual(Array.from({ length: 26 }, (_, i) => `I${i}`));
    for (const [, invariant, cell] of rows) {
      const known = mutants.filter((mutant) => mutant.invariant === invariant);
      if (invariant === "I8" || invariant === "I25") expect(known, "write it into the table").toEqual([]);
      else
        expect(cell!.split("; ")).toEqual(known.map(({ name, test: by }) => (by === undefined ? name : `${name} †`)));
    }
  });

  test("every mutant that the table names can still be given to the sources", () => {
    for (const mutant of mutants) expect(mutated(mutant, readFileSync(join(root, mutant.file), "utf8"))).not.toBe("");
  });

  test("it is short enough to be read", () => {
    expect(architecture.split("\n").length).toBeLessThan(360);
  });

  /** A path from the root, or `room/file.ts` below packages/room/src. */
  function resolveName(name: string): string | null {
    if (existsSync(join(root, name))) return join(root, name);
    const [room, ...rest] = name.split("/");
    if (!readdirSync(join(root, "packages")).includes(room!)) return null;
    for (const folder of ["src", "test", ""]) {
      const path = join(root, "packages", room!, folder, ...rest);
      if (existsSync(path)) return path;
    }
    return null;
  }
});
