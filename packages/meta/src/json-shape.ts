/** Reads JSON of unknown origin field by field: the metadata of other nodes and of older programs is checked before it is believed. */

/** A metadata record is damaged or of a form that this program does not know. */
export class MetaFormatError extends Error {
  override name: string = "MetaFormatError";
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function objectOf(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MetaFormatError(`${what} is no object`);
  }
  return value as JsonObject;
}

export function stringOf(fields: JsonObject, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new MetaFormatError(`${name} is no string`);
  return value;
}

/** A safe integer that is not negative: every number in the metadata is one. */
export function numberOf(fields: JsonObject, name: string): number {
  const value = fields[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new MetaFormatError(`${name} is no number`);
  }
  return value;
}

export function arrayOf<T>(fields: JsonObject, name: string, parse: (value: unknown) => T): T[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new MetaFormatError(`${name} is no list`);
  return value.map(parse);
}

export function idsOf(fields: JsonObject, name: string): number[] {
  return arrayOf(fields, name, (value) => numberOf({ [name]: value }, name));
}

export function booleanOf(fields: JsonObject, name: string): boolean {
  const value = fields[name];
  if (typeof value !== "boolean") throw new MetaFormatError(`${name} is no boolean`);
  return value;
}
