/**
 * The program `headrace`: `up` runs a whole cluster here, `node` and `gateway` one process each, `cluster` is the operator's. Exit codes: 0 done,
 * 1 the world does not allow it, 2 wrong usage.
 *
 * What only one of the commands needs is imported when that one runs: loading modules is most of what a process does until it is ready.
 */
import { Command, CommanderError, Option } from "commander";
import type { BackupOptions } from "./backup-command.ts";
import type { ImportOptions } from "./import-command.ts";
import type { LagOptions } from "./lag-command.ts";
import { loadSettings, rowsOf, UsageError } from "./configuration.ts";
import { StartError } from "./data-directory.ts";
import type { MembersOptions, MembersVerb } from "./members-command.ts";
import { environmentName, type Program, type SettingRow, type Settings } from "./settings.ts";
import { HEADRACE_VERSION } from "./version.ts";

const program = new Command("headrace")
  .description("A replicated stream cluster that any Redis client can use.")
  .version(HEADRACE_VERSION)
  .exitOverride()
  .configureOutput({ writeErr: (text) => process.stderr.write(`headrace: ${text.replace(/^error: /, "")}`) })
  .showHelpAfterError("(--help shows what there is)");

addProgram("up", "run a whole cluster on this machine", async (settings) =>
  settings["in-process"] === true
    ? (await import("./run-in-process.ts")).runInProcess(settings)
    : (await import("./up.ts")).runUp(settings),
);
addProgram("node", "run one storage node", async (settings) => (await import("./run-node.ts")).runNode(settings));
addProgram("gateway", "run one gateway", async (settings) => (await import("./run-gateway.ts")).runGateway(settings));

const cluster = program.command("cluster").description("look at a running cluster, and change its nodes");
const anyNode = process.env["HEADRACE_SEEDS"] ?? "127.0.0.1:7401";
cluster
  .command("status")
  .description("nodes, shards, leaders, how far each replica is, and changes in flight")
  .option("--seeds <addresses>", "host:grpc-port of any node", anyNode)
  .option("--json", "for scripts")
  .action(async (options: { readonly seeds: string; readonly json?: boolean }) => {
    const { runClusterStatus } = await import("./cluster-command.ts");
    process.exitCode = await runClusterStatus(options.seeds, options.json === true);
  });
membersCommand("add", "give a node that has joined its share of the replicas");
membersCommand("drain", "move everything away from a node; it stays a member");
membersCommand("remove", "let a node that holds nothing go, for good").option(
  "--force",
  "although it holds replicas: they are replaced from the other copies, or dropped where no node can take them",
);

program
  .command("backup")
  .description("a copy of the running cluster; the cluster goes on meanwhile")
  .argument("<directory>", "new or empty; or with a backup in it that was not finished, which is begun anew")
  .option("--seeds <addresses>", "host:grpc-port of any node", anyNode)
  .option("--json", "for scripts")
  .action(async (directory: string, options: BackupOptions) => {
    const { runBackup } = await import("./backup-command.ts");
    process.exitCode = await runBackup(directory, options);
  });

program
  .command("lag")
  .description("the consumer groups that are the furthest behind")
  .option("--url <url>", "a gateway", "redis://127.0.0.1:6379")
  .option("--match <pattern>", "only streams that match, as with SCAN")
  .option("--top <groups>", "so many groups; 0: all", "20")
  .option("--rates <seconds>", "look again after so long, and show what was delivered and acknowledged a second")
  .option("--json", "for scripts")
  .action(async (options: LagOptions) => {
    const { runLag } = await import("./lag-command.ts");
    process.exitCode = await runLag(options);
  });

program
  .command("import")
  .description(
    "copy streams, strings, lists, sets, hashes and sorted sets of a running Redis into a running cluster, and compare them",
  )
  .argument("<source>", "redis://[user:password@]host:port[/db]; any node of a Redis Cluster stands for all")
  .option("--to <url>", "a gateway", "redis://127.0.0.1:6379")
  .option("--match <pattern>", "only keys that match, as with SCAN")
  .option("--replace", "what is in the cluster already and differs is replaced, not left alone")
  .option("--dry-run", "only say what would be done")
  .option(
    "--state <file>",
    "where it is kept how far it is, so that the same command goes on (default: named after the source, here)",
  )
  .option("--dump-max <bytes>", "larger keys are copied in pieces", "4194304")
  .option("--json", "for scripts")
  .action(async (source: string, options: ImportOptions) => {
    const { runImport } = await import("./import-command.ts");
    process.exitCode = await runImport(source, options);
  });
addSettings(
  program
    .command("restore")
    .description("the data directory of a new cluster out of a backup; then `headrace up` starts it")
    .argument("<directory>", "the backup")
    .option("--json", "for scripts"),
  "up",
  async (settings, [directory], options) =>
    (await import("./restore-command.ts")).runRestore(directory!, settings, options["json"] === true),
);

function membersCommand(verb: MembersVerb, description: string): Command {
  return cluster
    .command(verb)
    .description(description)
    .argument("<node>", "its id, or host:grpc-port")
    .option("--seeds <addresses>", "host:grpc-port of any node", anyNode)
    .option("--wait", "until it is done")
    .option("--timeout <seconds>", "with --wait: for at most so long", "600")
    .option("--json", "for scripts")
    .action(async (node: string, options: MembersOptions) => {
      const { runMembersCommand } = await import("./members-command.ts");
      process.exitCode = await runMembersCommand(verb, node, options);
    });
}

function addProgram(name: Program, description: string, run: (settings: Settings) => Promise<number>): void {
  addSettings(program.command(name).description(description), name, (settings) => run(settings));
}

type GivenOptions = Readonly<Record<string, unknown>>;

/** Gives the command all settings of the program as options, and runs it with what was given; `words`: its arguments. */
function addSettings(
  command: Command,
  name: Program,
  run: (settings: Settings, words: readonly string[], options: GivenOptions) => Promise<number>,
): void {
  command.allowExcessArguments(false);
  command.addOption(new Option("--config <file>", 'YAML or "name value" file with the settings below'));
  for (const row of rowsOf(name)) {
    // A secret on the command line would stand in every process list.
    if (row.secret !== true) command.addOption(optionOf(row));
  }
  command.addHelpText(
    "after",
    "\nEach setting can also be given by environment (HEADRACE_ and its name in capitals, like HEADRACE_ELECTION_TIMEOUT_MS) or in the file.\n" +
      "HEADRACE_CLUSTER_SECRET: shared secret of the cluster's processes; needed beyond loopback.",
  );
  command.action(async () => {
    const given = command.opts<GivenOptions>();
    const flags: Record<string, unknown> = {};
    for (const row of rowsOf(name)) {
      const value =
        command.getOptionValueSource(camelCase(row.name)) === "cli" ? given[camelCase(row.name)] : undefined;
      if (value !== undefined) flags[row.name] = row.name === "no-restart" ? true : value;
    }
    if (command.getOptionValueSource("restart") === "cli") flags["no-restart"] = true;
    const settings = loadSettings(name, {
      flags,
      environment: process.env,
      file: typeof given["config"] === "string" ? given["config"] : null,
    });
    process.exitCode = await run(settings, command.args, given);
    // Adapters may hold the loop open (keep-alives, thread pool); everything that matters is flushed and closed by now.
    process.exit();
  });
}

function optionOf(row: SettingRow): Option {
  const value = row.kind === "boolean" ? "" : ` <${row.unit === "" ? row.kind : row.unit}>`;
  const fallback = row.default === null || row.default === false ? "" : ` (default ${row.default})`;
  const choices = row.choices === undefined ? "" : ` [${row.choices.join(", ")}]`;
  return new Option(`--${row.name}${value}`, `${row.meaning}${choices}${fallback} {${environmentName(row)}}`);
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  if (error instanceof UsageError || error instanceof StartError) {
    for (const line of error.message.split("\n")) process.stderr.write(`headrace: ${line}\n`);
    process.exit(error instanceof UsageError ? 2 : 1);
  }
  throw error;
}
