/**
 * BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY type offset increment …], and BITFIELD_RO with GET alone:
 * numbers of up to 64 bits at any bit. Everything is read and checked before anything changes. Source: bitops.c bitfieldGeneric.
 */
import type { StringView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { effectBytes } from "../stream/effect-room.ts";
import { findString, STRING_BYTES_MAX } from "../string/find-string.ts";
import { ASKED_BYTES_MAX, readBitOffset } from "./bits.ts";

const Overflow = { wrap: 0, saturate: 1, fail: 2 } as const;
type Overflow = (typeof Overflow)[keyof typeof Overflow];

interface FieldType {
  readonly isSigned: boolean;
  readonly bits: number;
}

interface FieldOperation {
  readonly kind: "get" | "set" | "incrby";
  readonly type: FieldType;
  readonly offset: number;
  readonly operand: bigint;
  readonly overflow: Overflow;
}

/** The bytes that a field of 64 bits touches. */
const FIELD_BYTES_MAX = 9;
const INT64_MAX = 2n ** 63n - 1n;
const TYPE = /^([iu])([1-9]\d?)$/;

function readType(request: Request, i: number): FieldType | null {
  const [, sign, digits] = TYPE.exec(request.latin1(i)) ?? [];
  if (digits === undefined) return null;
  const bits = Number(digits);
  const isSigned = sign === "i";
  return bits <= (isSigned ? 64 : 63) ? { isSigned, bits } : null;
}

function readOverflow(request: Request, i: number): Overflow | null {
  if (request.is(i, "WRAP")) return Overflow.wrap;
  if (request.is(i, "SAT")) return Overflow.saturate;
  return request.is(i, "FAIL") ? Overflow.fail : null;
}

function kindAt(request: Request, i: number): FieldOperation["kind"] | null {
  const behind = request.count - i - 1;
  if (request.is(i, "GET") && behind >= 2) return "get";
  if (request.is(i, "SET") && behind >= 3) return "set";
  return request.is(i, "INCRBY") && behind >= 3 ? "incrby" : null;
}

/** Or the error text. */
function readOperations(request: Request): FieldOperation[] | string {
  const operations: FieldOperation[] = [];
  let overflow: Overflow = Overflow.wrap;
  let i = 2;
  while (i < request.count) {
    const kind = kindAt(request, i);
    if (kind === null) {
      if (!request.is(i, "OVERFLOW") || i + 1 >= request.count) return Errors.syntax;
      const said = readOverflow(request, i + 1);
      if (said === null) return Errors.bitfieldOverflow;
      overflow = said;
      i += 2;
      continue;
    }
    const type = readType(request, i + 1);
    if (type === null) return Errors.bitfieldType;
    const offset = readBitOffset(
      request,
      i + 2,
      type.bits,
      kind === "get" ? ASKED_BYTES_MAX : STRING_BYTES_MAX - FIELD_BYTES_MAX,
    );
    if (offset < 0) return Errors.bitOffset;
    const operand = kind === "get" ? 0n : request.int64(i + 3);
    if (operand === null) return Errors.notInteger;
    operations.push({ kind, type, offset, operand, overflow });
    i += kind === "get" ? 3 : 4;
  }
  return operations;
}

/** The bytes around a field, zeros behind the string's end, and the field in them. */
class FieldWindow {
  readonly bytes: Uint8Array;
  first: number;
  byteCount: number;
  #bits: number;
  /** Bits behind the field in its last byte. */
  #spare: number;

  constructor() {
    this.bytes = new Uint8Array(FIELD_BYTES_MAX);
    this.first = 0;
    this.byteCount = 0;
    this.#bits = 0;
    this.#spare = 0;
  }

  open(value: StringView | null, offset: number, bits: number): void {
    this.first = Math.floor(offset / 8);
    const end = offset + bits;
    this.byteCount = Math.ceil(end / 8) - this.first;
    this.#bits = bits;
    this.#spare = Math.ceil(end / 8) * 8 - end;
    this.bytes.fill(0);
    if (value === null || this.first >= value.length) return;
    this.bytes.set(value.bytes.subarray(this.first, Math.min(value.length, this.first + this.byteCount)));
  }

  #all(): bigint {
    let all = 0n;
    for (let at = 0; at < this.byteCount; at++) all = (all << 8n) | BigInt(this.bytes[at]!);
    return all;
  }

  /** Without a sign. */
  get(): bigint {
    return BigInt.asUintN(this.#bits, this.#all() >> BigInt(this.#spare));
  }

  put(field: bigint): void {
    const mask = ((1n << BigInt(this.#bits)) - 1n) << BigInt(this.#spare);
    let all = (this.#all() & ~mask) | (BigInt.asUintN(this.#bits, field) << BigInt(this.#spare));
    for (let at = this.byteCount - 1; at >= 0; at--) {
      this.bytes[at] = Number(all & 0xffn);
      all >>= 8n;
    }
  }
}

const field = new FieldWindow();

/**
 * The value as its type can hold it; null: it can't, and shall not try. What is SET so far below a signed field that the distance has no room in 64 bits is above
 * it for Redis (checkSignedBitfieldOverflow).
 */
function fitted(value: bigint, { kind, type, overflow }: FieldOperation): bigint | null {
  const { isSigned, bits } = type;
  const max = (1n << BigInt(isSigned ? bits - 1 : bits)) - 1n;
  const min = isSigned ? -max - 1n : 0n;
  if (value >= min && value <= max) return value;
  if (overflow === Overflow.fail) return null;
  if (overflow === Overflow.saturate) return value > max || (kind === "set" && max - value > INT64_MAX) ? max : min;
  return isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

/** What SET sets: of an unsigned field Redis takes the operand's 64 bits as they are. */
function givenValue({ type, operand }: FieldOperation): bigint {
  return type.isSigned ? operand : BigInt.asUintN(64, operand);
}

function lastByteOf({ offset, type }: FieldOperation): number {
  return Math.floor((offset + type.bits - 1) / 8);
}

function run(context: ShardContext, isReadOnly: boolean): void {
  const { request, reply, keyspace, effects, effectRoomBytes } = context;
  const operations = readOperations(request);
  if (typeof operations === "string") return reply.error(operations);
  const writes = operations.filter(({ kind }) => kind !== "get");
  if (writes.length > 0 && isReadOnly) return reply.error(Errors.bitfieldReadOnly);
  const key = request.latin1(1);
  const found = findString(keyspace, key);
  if (typeof found === "string") return reply.error(found);
  if (effectBytes(writes.length + 1, key) > effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
  const { strings } = effects.values;
  // The string reaches as far as the furthest write, also when that fails in the end.
  const lastByte = writes.reduce((last, each) => Math.max(last, lastByteOf(each)), -1);
  const grows = lastByte >= (found === null ? 0 : found.length);
  if (grows) strings.write(key, lastByte, new Uint8Array(1), 0, 1, "setbit");
  let isSaid = grows;
  reply.array(operations.length);
  for (const operation of operations) {
    const { kind, type, offset } = operation;
    field.open(findString(keyspace, key) as StringView | null, offset, type.bits);
    const raw = field.get();
    const old = type.isSigned ? BigInt.asIntN(type.bits, raw) : raw;
    if (kind === "get") {
      reply.integer64(old);
      continue;
    }
    const wanted = kind === "set" ? givenValue(operation) : old + operation.operand;
    const value = fitted(wanted, operation);
    if (value === null) {
      reply.nullBulk();
      continue;
    }
    reply.integer64(kind === "set" ? old : value);
    if (value === old) continue;
    field.put(value);
    strings.write(key, field.first, field.bytes, 0, field.byteCount, isSaid ? null : "setbit");
    isSaid = true;
  }
}

export const bitfield = defineCommand({
  name: "bitfield",
  arity: -2,
  flags: Flag.write | Flag.denyoom,
  since: "3.2.0",
  group: "bitmap",
  summary: "Perform arbitrary bitfield integer operations on strings",
  complexity: "O(1) for each subcommand specified",
  syntax:
    "key [< GET encoding offset | < [OVERFLOW < WRAP | SAT | FAIL >] < SET encoding offset value | INCRBY encoding offset increment > > > [< GET encoding offset | < [OVERFLOW < WRAP | SAT | FAIL >] < SET encoding offset value | INCRBY encoding offset increment > > > ...]]",
  argumentTypes: { offset: "integer", value: "integer", increment: "integer" },
  categories: ["bitmap"],
  keys: {
    ...keyAt(1, "RW access update variable_flags"),
    notes: "This command allows both access and modification of the key",
  },
  execute: (context) => run(context, false),
});

export const bitfieldRo = defineCommand({
  name: "bitfield_ro",
  arity: -2,
  flags: Flag.readonly | Flag.fast,
  since: "6.0.0",
  group: "bitmap",
  summary: "Perform arbitrary bitfield integer operations on strings. Read-only variant of BITFIELD",
  complexity: "O(1) for each subcommand specified",
  syntax: "key [GET encoding offset [GET encoding offset ...]]",
  argumentTypes: { offset: "integer" },
  categories: ["bitmap"],
  keys: keyAt(1, "RO access"),
  execute: (context) => run(context, true),
});
