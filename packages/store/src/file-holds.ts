/**
 * Who may still look into a value file whose last pointer is gone. A pointer lives on in the reads and snapshots that began before it went; each
 * of them is a hold from its beginning to its end, and a file comes free when no hold is older than its end.
 */
export interface Hold {
  readonly since: number;
}

export class FileHolds<File> {
  readonly #onFree: (file: File) => void;
  /** In the order of beginning. */
  readonly #holds: Set<Hold> = new Set();
  /** In the order of ending. */
  readonly #ended: { readonly file: File; readonly since: number }[] = [];
  #time = 0;

  constructor(onFree: (file: File) => void) {
    this.#onFree = onFree;
  }

  hold(): Hold {
    const hold = { since: ++this.#time };
    this.#holds.add(hold);
    return hold;
  }

  release(hold: Hold): void {
    this.#holds.delete(hold);
    this.#freeEnded();
  }

  /** No pointer into the file is left for whoever begins from now on. */
  end(file: File): void {
    this.#ended.push({ file, since: ++this.#time });
    this.#freeEnded();
  }

  #freeEnded(): void {
    const oldest = this.#holds.values().next();
    const before = oldest.done === true ? Infinity : oldest.value.since;
    while (this.#ended.length > 0 && this.#ended[0]!.since < before) this.#onFree(this.#ended.shift()!.file);
  }
}
