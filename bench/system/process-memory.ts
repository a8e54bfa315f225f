/** Memory of processes as Linux counts it. */
import { readFileSync } from "node:fs";

/** Pages of the process's own (heap, buffers, stacks) in bytes: mapped files do not count. Null where there is no /proc, or the process is gone. */
export function rssAnonBytes(pid: number): number | null {
  return field(pid, "RssAnon");
}

/** All resident pages. */
export function rssBytes(pid: number): number | null {
  return field(pid, "VmRSS");
}

function field(pid: number, name: string): number | null {
  try {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return match === null ? null : Number(match[1]) * 1024;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ESRCH")
      return null;
    throw error;
  }
}

/** Looks now and then, and keeps the highest of each process. */
export class MemoryWatch {
  readonly highest: Map<string, number> = new Map();
  readonly #timer: NodeJS.Timeout;
  readonly #processes: () => readonly { readonly name: string; readonly pid: number }[];

  constructor(processes: () => readonly { readonly name: string; readonly pid: number }[], everyMs: number = 500) {
    this.#processes = processes;
    this.#timer = setInterval(() => this.look(), everyMs);
  }

  look(): void {
    for (const { name, pid } of this.#processes()) {
      const bytes = rssAnonBytes(pid);
      if (bytes !== null) this.highest.set(name, Math.max(bytes, this.highest.get(name) ?? 0));
    }
  }

  stop(): void {
    this.look();
    clearInterval(this.#timer);
  }
}
