/**
 * Fixtures: what is typed and what is seen, in one text file. A case begins with comments, has commands (as typed into redis-cli), a line of
 * dashes, and the replies as redis-cli prints them. Cases are separated by one empty line; each begins with an empty keyspace.
 *
 *   # An id that does not move forward is refused.
 *   @8.x reason          marks: the judge with Redis 7.0.15 leaves this case out, its replies come from the reference
 *   @clock               numbers depend on the clock: the judge compares their places, not their values
 *   @resp3               connections speak RESP3
 *   @both                the case is judged twice, with connections that speak RESP2 and with such that speak RESP3: the same is seen
 *   @process reason      the replies are about the one process that gives them: the judge with a simulated cluster leaves this case out
 *   @calm reason         the replies show what a leader alone knows: typed into a cluster without faults
 *   @gateway reason      it takes a gateway to answer: the judge with the pure handlers leaves this case out
 *   XADD s 5-0 f v
 *   c2> XREAD BLOCK 0 STREAMS s $      typed into a second connection
 *   ----
 *   "5-0"
 *   (blocked)
 *
 * Handles of delayed entries (`"d17"`) are shown as d1, d2 … in the order in which a case shows them first, and typed so behind XDELAYED CANCEL.
 * The reply of a call that was woken stands behind the reply of the command that woke it, behind `c2> `.
 */
import { REDIS_VERSION } from "../src/server/redis-version.ts";

export interface TranscriptLine {
  readonly client: string;
  readonly command: string;
}

export interface TranscriptCase {
  /** Comments and marks, as they stand. */
  readonly head: readonly string[];
  readonly marks: ReadonlySet<string>;
  readonly lines: readonly TranscriptLine[];
  readonly commands: readonly string[];
  readonly expected: string;
  /** Line of the file where the case begins, from 1. */
  readonly at: number;
}

/** The versions of the protocol that a case is judged in. */
export function respVersions(each: TranscriptCase): readonly (2 | 3)[] {
  if (each.marks.has("both")) return [2, 3];
  return [each.marks.has("resp3") ? 3 : 2];
}

/** It has the option of reads, or is one of the commands that wait for elements. */
export function mayBlock(command: string): boolean {
  return /\bBLOCK\b|^B(?:[LR]|Z)/i.test(command);
}

/** What a case is about: its first comment, else its first command. */
export function titleOf(each: TranscriptCase): string {
  return each.head.find((line) => line.startsWith("#"))?.slice(2) ?? each.commands[0] ?? "";
}

/** For cases marked `@clock`. */
export function maskNumbers(text: string): string {
  return text.replaceAll(/\(integer\) -?\d+/g, "(integer) #").replaceAll(/"\d{13}-\d+"/g, '"#-#"');
}

const SEPARATOR = "----";
const FIRST_CLIENT = "c1";

export function parseTranscript(text: string): TranscriptCase[] {
  const cases: TranscriptCase[] = [];
  let at = 1;
  for (const block of text.split("\n\n")) {
    const lines = block.split("\n").filter((line) => line !== "");
    if (lines.length > 0) cases.push(parseCase(lines, at));
    at += block.split("\n").length + 1;
  }
  return cases;
}

function parseCase(lines: readonly string[], at: number): TranscriptCase {
  const separator = lines.indexOf(SEPARATOR);
  const typed = separator < 0 ? lines : lines.slice(0, separator);
  const head = typed.filter((line) => /^[#@]/.test(line));
  const commands = typed.filter((line) => !/^[#@]/.test(line));
  const marks = new Set(head.filter((line) => line.startsWith("@")).map((line) => line.slice(1).split(" ")[0] ?? ""));
  return {
    head,
    marks,
    lines: commands.map(parseLine),
    commands,
    expected: separator < 0 ? "" : lines.slice(separator + 1).join("\n"),
    at,
  };
}

function parseLine(line: string): TranscriptLine {
  const match = /^(c\d)> (.*)$/.exec(line);
  return match === null ? { client: FIRST_CLIENT, command: line } : { client: match[1]!, command: match[2]! };
}

/** The version that HELLO tells is shown as the judge's: fixtures do not change with the one that we announce. */
const JUDGE_VERSION = '"7.0.15"';

/** How a reply of a client is shown. */
export function shownReply(client: string, reply: string): string {
  const text = reply.replaceAll(`"${REDIS_VERSION}"`, JUDGE_VERSION);
  return client === FIRST_CLIENT ? text : `${client}> ${text}`;
}

/** The handles of one case: what a shard gives them as depends on what it did before. */
export class HandleNames {
  /** As they were given, in the order of being shown. */
  readonly #given: string[];

  constructor() {
    this.#given = [];
  }

  shown(text: string): string {
    return text.replaceAll(/"(d\d+)"/g, (_, handle: string) => `"d${this.#placeOf(handle) + 1}"`);
  }

  typed(command: string): string {
    return command.replace(/^(XDELAYED CANCEL .*)\bd([1-9]\d*)$/, (as, front: string, number: string) => {
      const given = this.#given[Number(number) - 1];
      return given === undefined ? as : `${front}${given}`;
    });
  }

  #placeOf(handle: string): number {
    const known = this.#given.indexOf(handle);
    return known >= 0 ? known : this.#given.push(handle) - 1;
  }
}

export function renderCase(each: TranscriptCase, expected: string): string {
  return [...each.head, ...each.commands, SEPARATOR, expected].join("\n");
}

/** Fields of XINFO STREAM that Redis 7.0 does not have, as they stand in a shown reply: name and value on two lines, or on one in RESP3. */
const LATER_FIELDS =
  /^.*"(?:idmp-duration|idmp-maxsize|pids-tracked|iids-tracked|iids-added|iids-duplicates)"(?: =>.*|\n.*)\n/gm;

/** What Redis 7.0 would show of the text, without the numbers of lists: they are others where a field is missing. */
export function withoutLaterFields(text: string): string {
  return text.replaceAll(LATER_FIELDS, "").replaceAll(/^(?: *\d+[)#] )+/gm, "");
}
