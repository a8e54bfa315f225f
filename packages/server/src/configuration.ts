/**
 * Reads settings once: defaults < file < environment < flags. All problems are reported together, each in one line that says what to do.
 */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import {
  environmentName,
  relationProblems,
  schemaOf,
  settingRows,
  type Program,
  type SettingRow,
  type Settings,
  type SettingValue,
} from "./settings.ts";

/** The user's mistake on the command line, in the environment or in the file. Exit code 2. */
export class UsageError extends Error {
  override name: string = "UsageError";
}

export interface ConfigurationSources {
  /** Flags as given, names without dashes in front. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Path of a YAML or redis.conf-like file; null = none. */
  readonly file: string | null;
}

export function rowsOf(program: Program): readonly SettingRow[] {
  return settingRows.filter((row) => row.programs.includes(program));
}

/** The settings of the program; null for those of founding that were not given. Throws UsageError naming every problem. */
export function loadSettings(program: Program, sources: ConfigurationSources): Settings {
  const rows = rowsOf(program);
  const fromFile = sources.file === null ? {} : readSettingsFile(sources.file);
  const problems: string[] = [];
  for (const name of Object.keys(fromFile)) {
    if (!settingRows.some((row) => row.name === name)) problems.push(`${sources.file}: unknown setting ${name}`);
  }
  const values: Record<string, SettingValue> = {};
  for (const row of rows) {
    const given = firstGiven(row, sources, fromFile);
    if (given === null) {
      values[row.name] = row.founding === true ? null : row.default;
      continue;
    }
    const checked = schemaOf(row).safeParse(given.value);
    if (checked.success) values[row.name] = checked.data;
    else problems.push(`${given.where}: ${checked.error.issues[0]!.message}`);
  }
  if (problems.length === 0) problems.push(...relationProblems(values));
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  return values;
}

function firstGiven(
  row: SettingRow,
  sources: ConfigurationSources,
  fromFile: Readonly<Record<string, unknown>>,
): { readonly value: unknown; readonly where: string } | null {
  const flag = sources.flags[row.name];
  if (flag !== undefined) return { value: flag, where: `--${row.name}` };
  const variable = sources.environment[environmentName(row)];
  if (variable !== undefined && variable !== "") return { value: variable, where: environmentName(row) };
  const written = fromFile[row.name];
  if (written !== undefined) return { value: written, where: `${sources.file}: ${row.name}` };
  return null;
}

function readSettingsFile(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`--config: cannot read ${path}: ${(error as Error).message}`);
  }
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.trim().startsWith("#"));
  // redis.conf's form: `name value`, no colon behind the name.
  if (lines.length > 0 && lines.every((line) => /^[a-z][a-z0-9-]*\s+\S/.test(line.trim()))) {
    return Object.fromEntries(
      lines.map((line) => {
        const at = line.trim().search(/\s/);
        const value = line.trim().slice(at).trim();
        return [line.trim().slice(0, at), value.replace(/^"(.*)"$/, "$1")];
      }),
    );
  }
  try {
    const parsed: unknown = parse(text) ?? {};
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw new Error("not a mapping");
    return parsed as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`--config: ${path} is neither YAML nor "name value" lines: ${(error as Error).message}`);
  }
}

/** The settings as `CONFIG GET` shows them: name → text, secrets left out. */
export function shownSettings(program: Program, settings: Settings): ReadonlyMap<string, string> {
  const shown = new Map<string, string>();
  for (const row of rowsOf(program)) {
    if (row.secret === true) continue;
    const value = settings[row.name];
    const text = value === null || value === undefined ? "" : Array.isArray(value) ? value.join(",") : String(value);
    shown.set(row.configName ?? row.name, text);
  }
  return shown;
}
