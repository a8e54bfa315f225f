/** A key that holds a value which is no stream. */
import type { ValueKeyView } from "./api.ts";
import { StoredKey } from "./stored-key.ts";
import type { ValueType } from "./value-api.ts";
import type { Value } from "./value.ts";

export class ValueKey extends StoredKey implements ValueKeyView {
  value: Value;

  constructor(key: string, slot: number, age: number, value: Value) {
    super(key, slot, age);
    this.value = value;
  }

  get type(): ValueType {
    return this.value.type;
  }

  get stream(): null {
    return null;
  }
}
