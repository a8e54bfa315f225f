/** The number of a database in an argument: there is one, 0. Source: object.c getIntFromObjectOrReply, db.c selectDb. */
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Errors } from "../errors.ts";

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/** 0, or the error text. `notInteger`: instead of Redis' usual texts for what is no number of 32 bits. */
export function readDatabase(request: Request, i: number, notInteger: string | null): 0 | string {
  const index = readLong(request, i);
  if (Number.isNaN(index)) return notInteger ?? Errors.notInteger;
  if (index < INT32_MIN || index > INT32_MAX) return notInteger ?? Errors.notInt32;
  return index === 0 ? 0 : Errors.databaseOutOfRange;
}
