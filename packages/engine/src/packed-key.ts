/** A packed key for who walks over keys: its name costs nothing more, everything else unpacks it. */
import { slotOfKey } from "@headrace/bytes";
import type { KeyView, StreamView } from "./api.ts";
import { NEVER } from "./expiry-heap.ts";

export class PackedKey implements KeyView {
  readonly key: string;
  readonly type = "stream" as const;
  /** Keys that expire are not packed. */
  readonly expiresAtMs = NEVER;
  readonly #unpacked: (name: string) => KeyView;

  /** `unpacked`: the key of this name, as objects from then on. */
  constructor(key: string, unpacked: (name: string) => KeyView) {
    this.key = key;
    this.#unpacked = unpacked;
  }

  get slot(): number {
    return slotOfKey(this.key);
  }

  get lastWriterIndex(): number {
    return this.#unpacked(this.key).lastWriterIndex;
  }

  get usedAtSeconds(): number {
    return this.#unpacked(this.key).usedAtSeconds;
  }

  set usedAtSeconds(seconds: number) {
    this.#unpacked(this.key).usedAtSeconds = seconds;
  }

  get stream(): StreamView {
    return this.#unpacked(this.key).stream;
  }
}
