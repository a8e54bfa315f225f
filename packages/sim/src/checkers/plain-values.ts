/**
 * Lists and sorted sets as plainly as can be, an array each, after the documents of Redis' commands: what the program's are held against. Requests are those of
 * owned-work.ts.
 */
import { ErrorReply, type ReplyValue } from "../reply-value.ts";

export interface PlainValue {
  /** What the request must be answered with; then it has been executed. */
  ask(args: readonly string[]): ReplyValue;
  /** All of a key. */
  whole(key: string): readonly string[];
}

/** [from, to) of `length` for two indexes that may count from the end, `to` included. */
function bounds(length: number, first: string, last: string): readonly [number, number] {
  const place = (word: string): number => (Number(word) < 0 ? length + Number(word) : Number(word));
  const from = Math.max(0, place(first));
  return [from, Math.max(from, Math.min(length, place(last) + 1))];
}

/** The next element from one end. */
function takeOne(list: string[], side: string): string | undefined {
  return side === "LEFT" ? list.shift() : list.pop();
}

export class PlainLists implements PlainValue {
  readonly #lists: Map<string, string[]> = new Map();

  whole(key: string): readonly string[] {
    return this.#lists.get(key) ?? [];
  }

  ask(args: readonly string[]): ReplyValue {
    const key = args[1]!;
    const list = this.#lists.get(key) ?? [];
    const reply = this.#asked(list, args);
    if (list.length > 0) this.#lists.set(key, list);
    else this.#lists.delete(key);
    return reply;
  }

  #asked(list: string[], args: readonly string[]): ReplyValue {
    const [name = "", , first = "", second = "", third = ""] = args;
    switch (name) {
      case "LPUSH":
      case "RPUSH":
      case "LPUSHX":
      case "RPUSHX":
        if (name.endsWith("X") && list.length === 0) return 0;
        for (const element of args.slice(2)) {
          if (name.startsWith("L")) list.unshift(element);
          else list.push(element);
        }
        return list.length;
      case "LPOP":
      case "RPOP":
        return popped(list, name === "LPOP" ? "LEFT" : "RIGHT", args[2]);
      case "LLEN":
        return list.length;
      case "LRANGE":
        return list.slice(...bounds(list.length, first, second));
      case "LINDEX":
        return list.at(Number(first)) ?? null;
      case "LSET":
        return set(list, Number(first), second);
      case "LINSERT":
        return inserted(list, first, second, third);
      case "LREM":
        return removed(list, Number(first), second);
      case "LTRIM":
        list.splice(0, list.length, ...list.slice(...bounds(list.length, first, second)));
        return "OK";
      case "LPOS": {
        const at = list.indexOf(first);
        return at < 0 ? null : at;
      }
      case "LMOVE":
        return this.#moved(list, args);
      default:
        throw new Error(`no model of ${args.join(" ")}`);
    }
  }

  #moved(list: string[], [, from, to, out, into]: readonly string[]): ReplyValue {
    const element = takeOne(list, out!);
    if (element === undefined) return null;
    const target = from === to ? list : (this.#lists.get(to!) ?? []);
    if (into === "LEFT") target.unshift(element);
    else target.push(element);
    this.#lists.set(to!, target);
    return element;
  }
}

function popped(list: string[], side: string, count: string | undefined): ReplyValue {
  if (list.length === 0) return null;
  if (count === undefined) return takeOne(list, side)!;
  return Array.from({ length: Math.min(Number(count), list.length) }, () => takeOne(list, side)!);
}

function set(list: string[], index: number, element: string): ReplyValue {
  if (list.length === 0) return new ErrorReply("ERR no such key");
  const at = index < 0 ? list.length + index : index;
  if (at < 0 || at >= list.length) return new ErrorReply("ERR index out of range");
  list[at] = element;
  return "OK";
}

function inserted(list: string[], where: string, pivot: string, element: string): ReplyValue {
  if (list.length === 0) return 0;
  const at = list.indexOf(pivot);
  if (at < 0) return -1;
  list.splice(where === "BEFORE" ? at : at + 1, 0, element);
  return list.length;
}

/** A negative count: the last ones; 0: all. */
function removed(list: string[], count: number, element: string): ReplyValue {
  let left = count === 0 ? list.length : Math.abs(count);
  const before = list.length;
  const places = [...list.keys()].filter((at) => list[at] === element);
  const going = new Set(count < 0 ? places.slice(-left) : places.slice(0, left));
  left = list.length - going.size;
  const kept = list.filter((_, at) => !going.has(at));
  list.splice(0, list.length, ...kept);
  return before - left;
}

type Row = readonly [member: string, score: number];

export class PlainZsets implements PlainValue {
  readonly #sets: Map<string, Map<string, number>> = new Map();

  whole(key: string): readonly string[] {
    return rowsOf(this.#sets.get(key) ?? new Map()).flatMap(words);
  }

  ask(args: readonly string[]): ReplyValue {
    const key = args[1]!;
    if (args[0] === "ZRANGESTORE") return this.#stored(args);
    const scores = this.#sets.get(key) ?? new Map<string, number>();
    const reply = asked(scores, args);
    this.#put(key, scores);
    return reply;
  }

  #put(key: string, scores: Map<string, number>): void {
    if (scores.size > 0) this.#sets.set(key, scores);
    else this.#sets.delete(key);
  }

  #stored([, to, from, first, last, word]: readonly string[]): ReplyValue {
    const rows = rowsOf(this.#sets.get(from!) ?? new Map());
    if (word === "REV") rows.reverse();
    const chosen = rows.slice(...bounds(rows.length, first!, last!));
    this.#put(to!, new Map(chosen));
    return chosen.length;
  }
}

/** By score, and by name where these are equal. */
function rowsOf(scores: ReadonlyMap<string, number>): Row[] {
  return [...scores].sort(([nameA, a], [nameB, b]) => (a === b ? (nameA < nameB ? -1 : 1) : a - b));
}

function words([member, score]: Row): readonly string[] {
  return [member, String(score)];
}

function asked(scores: Map<string, number>, args: readonly string[]): ReplyValue {
  const [name = "", , first = "", second = ""] = args;
  const rows = rowsOf(scores);
  const take = (going: readonly Row[]): number => {
    for (const [member] of going) scores.delete(member);
    return going.length;
  };
  switch (name) {
    case "ZADD":
      return added(scores, args);
    case "ZINCRBY":
      return added(scores, ["ZADD", "", "INCR", first, second]);
    case "ZREM":
      return take(rows.filter(([member]) => args.slice(2).includes(member)));
    case "ZPOPMIN":
    case "ZPOPMAX": {
      if (name === "ZPOPMAX") rows.reverse();
      const going = rows.slice(0, Number(args[2] ?? 1));
      take(going);
      return going.flatMap(words);
    }
    case "ZRANGE":
      if (args.includes("REV")) rows.reverse();
      return rows.slice(...bounds(rows.length, first, second)).flatMap(words);
    case "ZRANGEBYSCORE":
      return rows.filter(isWithin(first, second)).map(([member]) => member);
    case "ZREMRANGEBYRANK":
      return take(rows.slice(...bounds(rows.length, first, second)));
    case "ZREMRANGEBYSCORE":
      return take(rows.filter(isWithin(first, second)));
    case "ZRANK":
    case "ZREVRANK": {
      if (name === "ZREVRANK") rows.reverse();
      const at = rows.findIndex(([member]) => member === first);
      return at < 0 ? null : at;
    }
    case "ZSCORE":
      return scores.has(first) ? String(scores.get(first)) : null;
    case "ZCOUNT":
      return rows.filter(isWithin(first, second)).length;
    case "ZCARD":
      return rows.length;
    default:
      throw new Error(`no model of ${args.join(" ")}`);
  }
}

function isWithin(min: string, max: string): (row: Row) => boolean {
  const isOpen = min.startsWith("(");
  const from = Number(isOpen ? min.slice(1) : min);
  const to = max === "+inf" ? Infinity : Number(max);
  return ([, score]) => (isOpen ? score > from : score >= from) && score <= to;
}

const OPTIONS = ["NX", "XX", "GT", "LT", "CH", "INCR"];

function added(scores: Map<string, number>, args: readonly string[]): ReplyValue {
  const options = args.slice(2).filter((word) => OPTIONS.includes(word));
  const pairs = args.slice(2 + options.length);
  const has = (word: string): boolean => options.includes(word);
  let count = 0;
  let last: number | null = null;
  for (let i = 0; i < pairs.length; i += 2) {
    const member = pairs[i + 1]!;
    const before = scores.get(member);
    const score = (has("INCR") ? (before ?? 0) : 0) + Number(pairs[i]);
    last = null;
    if (before === undefined ? has("XX") : has("NX")) continue;
    if (before !== undefined && ((has("GT") && score <= before) || (has("LT") && score >= before))) continue;
    last = score;
    scores.set(member, score);
    if (before === undefined || (has("CH") && before !== score)) count++;
  }
  if (!has("INCR")) return count;
  return last === null ? null : String(last);
}
