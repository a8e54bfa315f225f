/**
 * Flags that the next change of a key sets: what WATCH leaves at a leader. They belong to whoever keeps them and to no state: they are in no capture,
 * hash or rollback, and a follower has none.
 */
export class KeyWatch {
  readonly keys: Set<string>;
  /** One of its keys was changed, even if it was changed back. */
  isTouched: boolean;

  constructor() {
    this.keys = new Set();
    this.isTouched = false;
  }
}

export class KeyWatches {
  readonly #byKey: Map<string, Set<KeyWatch>>;

  constructor() {
    this.#byKey = new Map();
  }

  /** Keys that are watched. */
  get size(): number {
    return this.#byKey.size;
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  add(key: string, watch: KeyWatch): void {
    if (watch.keys.has(key)) return;
    watch.keys.add(key);
    const watching = this.#byKey.get(key);
    if (watching === undefined) this.#byKey.set(key, new Set([watch]));
    else watching.add(watch);
  }

  /** The watch is over. */
  remove(watch: KeyWatch): void {
    for (const key of watch.keys) {
      const watching = this.#byKey.get(key);
      if (watching === undefined || !watching.delete(watch)) continue;
      if (watching.size === 0) this.#byKey.delete(key);
    }
    watch.keys.clear();
  }

  touch(key: string): void {
    const watching = this.#byKey.get(key);
    if (watching === undefined) return;
    for (const watch of watching) watch.isTouched = true;
  }
}
