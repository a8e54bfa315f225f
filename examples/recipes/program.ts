/** What the programs have in common around their work: their options, SIGTERM and SIGINT as a request to finish, and one JSON line of counts at the end. */
import { createReadStream } from "node:fs";
import { parseArgs } from "node:util";

export type Options = Readonly<Record<string, string>>;

/** `--name value` for each name in `defaults`, which has the values of those that are not given; `--url` is in any case. Flags are "yes" or "". */
export function optionsOf(defaults: Options, flags: readonly string[] = []): Options {
  const known = { url: "redis://127.0.0.1:6379", ...defaults };
  const named = Object.entries(known).map(([name, value]) => [name, { type: "string" as const, default: value }]);
  const switches = flags.map((name) => [name, { type: "boolean" as const, default: false }]);
  const { values } = parseArgs({ options: Object.fromEntries([...named, ...switches]) });
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, value === true ? "yes" : String(value || "")]),
  );
}

/** Aborted by SIGTERM and SIGINT: what is begun is ended, nothing new is begun. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => stop.abort());
  return stop.signal;
}

export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
}

/** The lines of a file (`-`: of standard input), in batches of what has arrived, `max` at the most. */
export async function* linesOf(file: string, max: number): AsyncGenerator<readonly Line[]> {
  const input = file === "-" ? process.stdin : createReadStream(file);
  input.setEncoding("utf8");
  let rest = "";
  let number = 0;
  for await (const chunk of input as AsyncIterable<string>) {
    const texts = (rest + chunk).split("\n");
    rest = texts.pop()!;
    const lines = texts.map((text) => ({ number: ++number, text }));
    for (let at = 0; at < lines.length; at += max) yield lines.slice(at, at + max);
  }
  if (rest !== "") yield [{ number: number + 1, text: rest }];
}

export function report(counts: object): void {
  console.log(JSON.stringify(counts));
}
