/**
 * Follows a Dockerfile without a container engine: COPY, RUN, ENV and the rest, each stage in an empty folder of its own that stands for `/`.
 * What a RUN line does, it does for real, with this machine's shell and npm and the Node that runs this; absolute paths in RUN would leave the folder and are refused.
 * An instruction that is not known here is an error, so that the Dockerfile cannot outgrow this reader unnoticed.
 */
import { spawnSync } from "node:child_process";
import { chownSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";

/** Uid and gid of the user `node` in the official images. */
const NODE_USER = 1000;

export interface Image {
  /** The folder that stands for `/`. */
  readonly root: string;
  readonly workdir: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly user: string;
  readonly volumes: readonly string[];
  readonly ports: readonly number[];
}

type Stage = { -readonly [K in keyof Image]: Image[K] } & { name: string };

/** Builds the last stage of `dockerfile` from the files in `context` below `folder`. */
export function followDockerfile(dockerfile: string, context: string, folder: string): Image {
  const ignored = readIgnored(context);
  const stages: Stage[] = [];
  for (const { instruction, rest } of instructions(readFileSync(dockerfile, "utf8"))) {
    if (instruction === "FROM") {
      const name = / AS (\S+)$/i.exec(rest)?.[1] ?? String(stages.length);
      stages.push(emptyStage(name, join(folder, name)));
      continue;
    }
    step(stages, instruction, rest, { context, ignored });
  }
  return stages.at(-1)!;
}

function emptyStage(name: string, root: string): Stage {
  mkdirSync(root, { recursive: true });
  return {
    name,
    root,
    workdir: "/",
    environment: {},
    entrypoint: [],
    command: [],
    user: "root",
    volumes: [],
    ports: [],
  };
}

interface Context {
  readonly context: string;
  readonly ignored: (path: string) => boolean;
}

function step(stages: readonly Stage[], instruction: string, rest: string, from: Context): void {
  const stage = stages.at(-1)!;
  switch (instruction) {
    case "WORKDIR":
      stage.workdir = rest;
      mkdirSync(join(stage.root, rest), { recursive: true });
      return;
    case "ENV":
      stage.environment = {
        ...stage.environment,
        ...Object.fromEntries(rest.split(/\s+/).map((pair) => pair.split("=", 2) as [string, string])),
      };
      return;
    case "COPY":
      copy(stages, rest, from);
      return;
    case "RUN":
      run(stage, rest);
      return;
    case "USER":
      stage.user = rest;
      return;
    case "VOLUME":
      stage.volumes = JSON.parse(rest) as string[];
      return;
    case "EXPOSE":
      stage.ports = rest.split(/\s+/).map(Number);
      return;
    case "ENTRYPOINT":
      stage.entrypoint = JSON.parse(rest) as string[];
      return;
    case "CMD":
      stage.command = JSON.parse(rest) as string[];
      return;
    case "STOPSIGNAL":
      return;
    default:
      throw new Error(`the Dockerfile's ${instruction} is not known to this reader`);
  }
}

/** Lines joined over `\`, comments left out. */
function instructions(text: string): readonly { readonly instruction: string; readonly rest: string }[] {
  return text
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("#"))
    .join("\n")
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      const [, instruction, rest] = /^(\S+)\s+(.*)$/.exec(line)!;
      return { instruction: instruction!.toUpperCase(), rest: rest! };
    });
}

function copy(stages: readonly Stage[], rest: string, from: Context): void {
  const stage = stages.at(-1)!;
  const words = rest.split(/\s+/);
  const flag = (name: string): string | null => words.find((w) => w.startsWith(`--${name}=`))?.split("=")[1] ?? null;
  const paths = words.filter((word) => !word.startsWith("--"));
  const target = paths.pop()!;
  const fromStage = flag("from");
  const root = fromStage === null ? from.context : stages.find((each) => each.name === fromStage)!.root;
  const ignored = fromStage === null ? from.ignored : () => false;
  const absolute = target.startsWith("/") ? join(stage.root, target) : join(stage.root, stage.workdir, target);
  for (const path of paths) {
    const source = join(root, path);
    const isFolder = lstatSync(source).isDirectory();
    const into = !isFolder && (target.endsWith("/") || paths.length > 1) ? join(absolute, basename(path)) : absolute;
    mkdirSync(dirname(into), { recursive: true });
    cpSync(source, into, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (file) => !ignored(relative(root, file)),
    });
    const owner = flag("chown");
    if (owner === null) continue;
    if (owner !== "node:node") throw new Error(`--chown=${owner}: only node:node is known to this reader`);
    // Not root: the files are this user's, who runs the services then.
    if (process.getuid?.() === 0) chownAll(into, NODE_USER);
  }
}

function chownAll(path: string, id: number): void {
  chownSync(path, id, id);
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) chownAll(join(path, name), id);
}

function run(stage: Stage, command: string): void {
  if (/(^|\s)\//.test(command)) throw new Error(`RUN ${command}: an absolute path would leave the folder`);
  const environment = cleanEnvironment();
  // The image's Node is the one that runs this.
  const result = spawnSync("sh", ["-c", command], {
    cwd: join(stage.root, stage.workdir),
    env: { ...environment, PATH: `${dirname(process.execPath)}:${environment["PATH"]}`, ...stage.environment },
    encoding: "utf8",
  });
  if (result.status !== 0) throw new Error(`RUN ${command}: exit ${result.status}\n${result.stdout}${result.stderr}`);
}

/** What a shell outside of `npm test` would have: npm's own variables speak of this repository. */
export function cleanEnvironment(): Record<string, string> {
  const kept = /^npm_config_(registry|cache|userconfig|globalconfig|prefix)$/i;
  const entries = Object.entries(process.env).filter(
    ([name, value]) =>
      value !== undefined &&
      (kept.test(name) || !/^(npm_|INIT_CWD$|NODE_ENV$|NODE_OPTIONS$|VITEST|TEST$|HEADRACE_)/i.test(name)),
  );
  return Object.fromEntries(entries) as Record<string, string>;
}

/** The two forms that our .dockerignore uses: a name at the top; a name below any folder, with two stars in front. */
function readIgnored(context: string): (path: string) => boolean {
  const lines = readFileSync(join(context, ".dockerignore"), "utf8").split("\n");
  const patterns = lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  const anywhere = new Set(patterns.filter((p) => p.startsWith("**/")).map((p) => p.slice(3)));
  const atTop = new Set(patterns.filter((p) => !p.startsWith("**/")));
  return (path) => {
    const parts = path.split("/");
    return atTop.has(parts[0]!) || parts.some((part) => anywhere.has(part));
  };
}

/** Every file, folder and link below `folder` with size and time of change: equal listings mean that nothing was written. */
export function listing(folder: string): readonly string[] {
  const lines: string[] = [];
  const walk = (path: string): void => {
    const stat = lstatSync(path);
    const what = stat.isSymbolicLink() ? `-> ${readlinkSync(path)}` : stat.isDirectory() ? "" : String(stat.size);
    lines.push(`${relative(folder, path)} ${stat.mtimeMs} ${what}`);
    if (stat.isDirectory()) for (const name of readdirSync(path).toSorted()) walk(join(path, name));
  };
  if (existsSync(folder)) walk(folder);
  return lines;
}
