/**
 * What an import has done so far, in a file beside it, so that it can be cut short at any moment and gone on with. Lines of JSON, appended; a last line
 * that is not whole is as if it were not there.
 *
 *   {"source":"redis://10.0.0.1:6379/0","target":"redis://…"}   first
 *   {"key":"s","begun":true}          from now on what the target has under the key is ours
 *   {"key":"s","facts":"9f86d081…"}   it is copied; digest of what the source said of it then
 */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, truncateSync } from "node:fs";

/** The file is of another import, or can't be read or written. */
export class JournalError extends Error {
  override name: string = "JournalError";
}

export class ImportJournal {
  readonly #path: string;
  readonly #begun: Set<string> = new Set();
  readonly #copied: Map<string, string> = new Map();

  constructor(path: string, source: string, target: string) {
    this.#path = path;
    const first = JSON.stringify({ source, target });
    this.#attempt(() => {
      if (existsSync(path)) this.#read(first);
      if (!existsSync(path) || readFileSync(path).length === 0) appendFileSync(path, `${first}\n`);
    });
  }

  isBegun(key: string): boolean {
    return this.#begun.has(key);
  }

  /** Digest of what the source said when it was copied; null: it is not copied. */
  copiedAs(key: string): string | null {
    return this.#copied.get(key) ?? null;
  }

  /** Throws JournalError, as `copied` does. */
  begin(key: string): void {
    this.#begun.add(key);
    this.#append({ key, begun: true });
  }

  copied(key: string, facts: unknown): void {
    const digest = factsDigest(facts);
    this.#copied.set(key, digest);
    this.#append({ key, facts: digest });
  }

  #append(line: Readonly<Record<string, unknown>>): void {
    this.#attempt(() => appendFileSync(this.#path, `${JSON.stringify(line)}\n`));
  }

  #attempt(task: () => void): void {
    try {
      task();
    } catch (error) {
      if (error instanceof JournalError) throw error;
      throw new JournalError(`${this.#path} cannot be used: ${(error as Error).message}`);
    }
  }

  #read(first: string): void {
    const text = readFileSync(this.#path, "utf8");
    const end = text.lastIndexOf("\n") + 1;
    const [header, ...lines] = text.slice(0, end).split("\n").slice(0, -1);
    if (header !== undefined && header !== first) {
      throw new JournalError(`${this.#path} is of another import (${header}); name another file with --state`);
    }
    for (const line of lines) {
      const { key, facts } = JSON.parse(line) as { readonly key: string; readonly facts?: string };
      this.#begun.add(key);
      if (facts !== undefined) this.#copied.set(key, facts);
    }
    if (end < text.length) truncateSync(this.#path, Buffer.byteLength(text.slice(0, end)));
  }
}

export function factsDigest(facts: unknown): string {
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 16);
}
