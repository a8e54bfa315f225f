/** What etcd's interaction tests print, less the lines of its logger: deliveries, Readys, the work of the local threads, dumps. */
import type { Entry } from "../../src/index.ts";
import { describeEntry, describeHardState, describeMessage, describeSnapshot, nameOfRole } from "./describe.ts";
import type { Ready } from "./scripted-raft.ts";

export class ScriptOutput {
  #text = "";
  #indent = "";

  line(text: string): void {
    for (const line of text.split("\n")) this.#text += `${this.#indent}${line}\n`;
  }

  indented(body: () => void): void {
    const before = this.#indent;
    this.#indent += "  ";
    body();
    this.#indent = before;
  }

  /** All of it since the last call; "ok" for nothing. */
  take(): string {
    const text = this.#text;
    this.#text = "";
    return text === "" ? "ok" : text.trimEnd();
  }
}

export function describeReady(ready: Ready): string {
  const lines: string[] = [];
  const entries = (title: string, list: readonly Entry[]): void => {
    if (list.length > 0) lines.push(title, ...list.map(describeEntry));
  };
  if (ready.soft !== null) lines.push(`Lead:${ready.soft.leader} State:${nameOfRole(ready.soft.role)}`);
  if (ready.hard !== null) lines.push(`HardState ${describeHardState(ready.hard)}`);
  entries("Entries:", ready.entries);
  if (ready.snapshot !== null) lines.push(`Snapshot ${describeSnapshot(ready.snapshot)}`);
  entries("CommittedEntries:", ready.committed);
  if (ready.messages.length > 0) lines.push("Messages:", ...ready.messages.map((m) => describeMessage(m)));
  if (lines.length === 0) return "<empty Ready>";
  return [`Ready MustSync=${ready.mustSync}:`, ...lines].join("\n");
}
