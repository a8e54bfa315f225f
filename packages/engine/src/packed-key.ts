/** A packed key for who walks over keys: its name and type cost nothing more, everything else unpacks it. */
import { slotOfKey } from "@headrace/bytes";
import type { KeyView, StreamKeyView, StreamView, ValueKeyView } from "./api.ts";
import { NEVER } from "./expiry-heap.ts";
import type { KeyType, ValueType, ValueView } from "./value-api.ts";

abstract class PackedKey {
  readonly key: string;
  /** Keys that expire are not packed. */
  readonly expiresAtMs = NEVER;
  readonly #unpacked: (name: string) => KeyView;

  constructor(key: string, unpacked: (name: string) => KeyView) {
    this.key = key;
    this.#unpacked = unpacked;
  }

  protected get whole(): KeyView {
    return this.#unpacked(this.key);
  }

  get slot(): number {
    return slotOfKey(this.key);
  }

  get lastWriterIndex(): number {
    return this.whole.lastWriterIndex;
  }

  get usedAtSeconds(): number {
    return this.whole.usedAtSeconds;
  }

  set usedAtSeconds(seconds: number) {
    this.whole.usedAtSeconds = seconds;
  }
}

class PackedStreamKey extends PackedKey implements StreamKeyView {
  readonly type = "stream" as const;
  readonly value = null;

  get stream(): StreamView {
    return this.whole.stream!;
  }
}

class PackedValueKey extends PackedKey implements ValueKeyView {
  readonly type: ValueType;
  readonly stream = null;

  constructor(type: ValueType, key: string, unpacked: (name: string) => KeyView) {
    super(key, unpacked);
    this.type = type;
  }

  get value(): ValueView {
    return this.whole.value!;
  }
}

/** `unpacked`: the key of this name, as objects from then on. */
export function packedKeyView(type: KeyType, key: string, unpacked: (name: string) => KeyView): KeyView {
  return type === "stream" ? new PackedStreamKey(key, unpacked) : new PackedValueKey(type, key, unpacked);
}
