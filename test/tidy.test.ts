/**
 * The house rules, as a test. The import table is data here; nothing else decides who may import whom.
 * Each rule says what to do instead, because the one who reads the message did not mean to break it.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const core = ["bytes", "raft-ts", "ports", "resp", "engine", "meta", "link", "log", "commands", "node", "gateway"];

/** room → rooms it may import. */
const imports: Record<string, readonly string[]> = {
  bytes: [],
  "raft-ts": [],
  ports: ["raft-ts"],
  resp: ["bytes"],
  engine: ["bytes"],
  meta: ["bytes"],
  link: ["bytes"],
  log: ["bytes", "ports", "raft-ts"],
  commands: ["bytes", "resp", "engine", "meta"],
  node: ["bytes", "ports", "raft-ts", "resp", "engine", "meta", "link", "log", "commands"],
  gateway: ["bytes", "ports", "resp", "meta", "link", "commands"],
  wal: ["bytes", "ports"],
  store: ["bytes", "ports"],
  transport: ["bytes", "ports"],
  server: [...core, "wal", "store", "transport", "cli"],
  sim: [...core, "testkit"],
  cli: ["bytes", "resp", "meta"],
  testkit: ["bytes", "ports"],
};

/** Each runtime dependency belongs to one room. */
const libraries: Record<string, string> = {
  level: "store",
  "@grpc/grpc-js": "transport",
  "@grpc/proto-loader": "transport",
  "prom-client": "server",
  pino: "server",
  zod: "server",
  yaml: "server",
  commander: "server",
  // Conformance suites are tests that several rooms share.
  vitest: "testkit",
  "fast-check": "testkit",
};

/** Built-in modules a core room may use: pure functions only. */
const builtinsOfCore: Record<string, readonly string[]> = { bytes: ["node:buffer", "node:zlib"] };

/** Where real I/O is allowed besides tests. The simulator's main reads its arguments and starts workers. */
const ioRooms = ["wal", "store", "transport", "server", "cli", "sim", "testkit"];

interface SourceFile {
  readonly path: string;
  readonly room: string | null;
  readonly inSource: boolean;
  readonly text: string;
  readonly lines: readonly string[];
}

function trackedFiles(): readonly string[] {
  // Also files not yet added, so that the rule speaks before the commit.
  const out = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  return out.split("\n").filter((path) => path !== "" && existsSync(join(root, path)));
}

function load(path: string): SourceFile {
  const text = readFileSync(join(root, path), "utf8");
  const match = /^packages\/([^/]+)\/(src|test|testing)\//.exec(path);
  return { path, room: match?.[1] ?? null, inSource: match?.[2] === "src", text, lines: text.split("\n") };
}

const files = trackedFiles();
const sources = files.filter((path) => /\.(ts|mjs|js)$/.test(path)).map(load);
const roomSources = sources.filter((file) => file.room !== null && file.inSource);

function importedNames(file: SourceFile): readonly string[] {
  const names: string[] = [];
  for (const match of file.text.matchAll(
    /(?:^|\n)\s*(?:import|export)\b[^;]*?from\s+"([^"]+)"|import\(\s*"([^"]+)"\s*\)/g,
  )) {
    names.push((match[1] ?? match[2])!);
  }
  for (const match of file.text.matchAll(/(?:^|\n)import\s+"([^"]+)"/g)) names.push(match[1]!);
  return names;
}

/** What is loaded before the files do anything: names of modules, those of the same room followed. */
function loadedBy(paths: readonly string[]): readonly string[] {
  const reached = new Set<string>();
  const open = paths.map(load);
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    for (const [, name] of file.text.matchAll(/(?:^|\n)(?:import|export)\b(?! type)[^;]*?from\s+"([^"]+)"/g)) {
      const module = name!.startsWith("./") ? join(dirname(file.path), name!) : name!;
      if (reached.has(module)) continue;
      reached.add(module);
      if (module.endsWith(".ts")) open.push(load(module));
    }
  }
  return [...reached];
}

/** Code without comments and strings, roughly: enough to look for identifiers. */
function codeOf(file: SourceFile): string {
  return file.text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/(^|[^:"'`])\/\/[^\n]*/g, "$1")
    .replace(/"(?:[^"\\\n]|\\.)*"/g, '""')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''");
}

describe("house rules", () => {
  test("every room is in the import table and described in ARCHITECTURE.md", () => {
    const rooms = new Set(roomSources.map((file) => file.room!));
    const architecture = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
    for (const room of rooms) {
      expect(imports, `packages/${room} has no row in the import table`).toHaveProperty(room);
      expect(architecture, `ARCHITECTURE.md does not name the room ${room}`).toContain(`\`${room}\``);
    }
  });

  test("a room imports only what its row allows", () => {
    const broken: string[] = [];
    for (const file of roomSources) {
      const allowed = imports[file.room!] ?? [];
      for (const name of importedNames(file)) {
        if (name.startsWith("@headrace/")) {
          const target = name.slice("@headrace/".length);
          if (target !== file.room && !allowed.includes(target)) broken.push(`${file.path} imports ${name}`);
        } else if (name.startsWith("node:")) {
          const allowedBuiltins = builtinsOfCore[file.room!] ?? [];
          if (core.includes(file.room!) && !allowedBuiltins.includes(name)) broken.push(`${file.path} imports ${name}`);
        } else if (name.startsWith(".")) {
          if (!/\.(ts|mjs|json)$/.test(name)) broken.push(`${file.path}: write the ending in ${name}`);
          const target = join(dirname(file.path), name);
          if (!target.startsWith(`packages/${file.room}/`)) broken.push(`${file.path} reaches into ${target}`);
        } else if (libraries[name] !== file.room) {
          broken.push(`${file.path} imports ${name}, which belongs to ${libraries[name] ?? "no room"}`);
        }
      }
    }
    expect(broken).toEqual([]);
  });

  test("the core rooms touch no clock, chance, timer, promise or process", () => {
    const banned =
      /\b(async|await|Promise|Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|process|WeakRef|FinalizationRegistry)\b|\bMath\.random\b/;
    const broken: string[] = [];
    for (const file of roomSources) {
      if (!core.includes(file.room!)) continue;
      codeOf(file)
        .split("\n")
        .forEach((line, index) => {
          const found = banned.exec(line);
          if (found !== null) broken.push(`${file.path}:${index + 1}: ${found[0]}`);
        });
    }
    expect(broken, "take it from a port instead").toEqual([]);
  });

  test("only rooms with real I/O use node's modules for it", () => {
    const broken: string[] = [];
    for (const file of roomSources) {
      if (ioRooms.includes(file.room!)) continue;
      for (const name of importedNames(file)) {
        if (/^node:(fs|net|http|https|http2|child_process|os|dns|worker_threads|timers)/.test(name)) {
          broken.push(`${file.path} imports ${name}`);
        }
      }
    }
    expect(broken).toEqual([]);
  });

  test("files hold one idea: none is longer than 650 lines", () => {
    const long = sources
      .filter((file) => file.path.startsWith("packages/") && file.lines.length > 650)
      .map((file) => `${file.path}: ${file.lines.length}`);
    expect(long, "split along the ideas in it").toEqual([]);
  });

  test("no file is a drawer", () => {
    const drawers = files.filter((path) => /(^|\/)(utils?|helpers?|common|misc|manager|base)\.[a-z]+$/.test(path));
    expect(drawers, "name it after the one thing that it holds").toEqual([]);
  });

  test("nothing is left unfinished or switched off", () => {
    const marks = new RegExp(["TO" + "DO", "FIX" + "ME", "XX" + "X\\b", "@ts-(ignore|nocheck|expect-error)"].join("|"));
    const switched = /\b(test|it|describe)\.(skip|only|todo)\b/;
    const broken: string[] = [];
    for (const file of sources) {
      if (file.path === "test/tidy.test.ts") continue;
      file.lines.forEach((line, index) => {
        if (marks.test(line) || switched.test(line)) broken.push(`${file.path}:${index + 1}: ${line.trim()}`);
      });
    }
    expect(broken).toEqual([]);
  });

  test("npm start replaces its shell by the program, so that a signal to npm reaches it", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    for (const name of ["start", "headrace"]) expect(manifest.scripts[name], name).toMatch(/^exec node /);
  });

  test("the supervisor, and what every command begins with, load no other room: that would delay every start", () => {
    const loaded = loadedBy(["packages/server/src/program.ts", "packages/server/src/up.ts"]);
    expect(loaded).toContain("packages/server/src/supervisor.ts");
    expect(loaded.filter((name) => name.startsWith("@headrace/"))).toEqual([]);
  });

  test("no default exports and no barrels inside rooms", () => {
    const broken: string[] = [];
    for (const file of roomSources) {
      if (/^export default /m.test(file.text)) broken.push(`${file.path}: default export`);
      if (file.path.endsWith("/index.ts") && file.path.split("/").length > 4) {
        broken.push(`${file.path}: a barrel`);
      }
    }
    expect(broken).toEqual([]);
  });

  test("production code has no switches for tests", () => {
    const broken: string[] = [];
    for (const file of roomSources) {
      if (file.room === "testkit" || file.room === "sim") continue;
      if (/VITEST|NODE_ENV|isTest|inTest/.test(codeOf(file))) broken.push(file.path);
    }
    expect(broken).toEqual([]);
  });

  test("no registry host stands in the lock file's place of origin but npm's own, and no absolute path in any text", () => {
    const broken: string[] = [];
    for (const path of files) {
      if (/\.(png|ico)$/.test(path) || path === "test/tidy.test.ts") continue;
      const text = readFileSync(join(root, path), "utf8");
      if (/(^|[\s"'`(=])\/(work|root|home)\/[A-Za-z]/m.test(text)) broken.push(path);
    }
    expect(broken).toEqual([]);
  });
});
