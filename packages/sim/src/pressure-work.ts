/**
 * What simulated clients do with streams whose producers may be only so far ahead of a group: more XADDs than consumers take, and looks at how far it is
 * behind. What may be seen of them, checkers/pressure.ts says.
 */
import type { Entry } from "./checkers/reading.ts";
import type { PressureView } from "./checkers/pressure.ts";
import { ErrorReply, type ReplyValue } from "./reply-value.ts";
import type { SeededRandom } from "./seeded-random.ts";

const GROUP = "g";
/** Nobody reads there: without a limit it holds up nobody. */
const SLOW_GROUP = "slow";

export interface PressedStream {
  readonly name: string;
  readonly maxLag: number;
  /** 0: refused at once. */
  readonly holdMs: number;
}

export const PRESSED: readonly PressedStream[] = [
  { name: "p1:{a}", maxLag: 3, holdMs: 0 },
  { name: "p2:{b}", maxLag: 2, holdMs: 400 },
  { name: "p3:{c}", maxLag: 1, holdMs: 2500 },
];

export const pressurePreparations: readonly (readonly string[])[] = PRESSED.flatMap(({ name, maxLag, holdMs }) => [
  ["XGROUP", "CREATE", name, GROUP, "0", "MKSTREAM"],
  ["XGROUP", "CREATE", name, SLOW_GROUP, "0"],
  ["XGROUP", "SETMAXLAG", name, GROUP, String(maxLag), "POLICY", ...policyOf(holdMs)],
]);

function policyOf(holdMs: number): readonly string[] {
  return holdMs === 0 ? ["REJECT"] : ["DELAY", "MAX", String(holdMs)];
}

/** `add`: an XADD of something that exists once. */
export function pressureRequest(
  random: SeededRandom,
  name: string,
  add: (stream: string) => readonly string[],
): readonly string[] {
  const stream = random.pick(PRESSED).name;
  const kind = random.below(10);
  if (kind < 6) return add(stream);
  if (kind < 8) return ["XINFO", "GROUPS", stream];
  const noAck = random.chance(1, 2) ? ["NOACK"] : [];
  const block = random.chance(1, 3) ? ["BLOCK", "30"] : [];
  const count = ["COUNT", String(random.between(1, 3))];
  return ["XREADGROUP", "GROUP", GROUP, name, ...count, ...block, ...noAck, "STREAMS", stream, ">"];
}

export interface PressureRooms {
  /** A request whose answer, an error too, is not lost. */
  readonly ask: (args: readonly string[]) => ReplyValue;
  /** The same from another connection, without waiting for the answer: undefined as long as there is none. */
  readonly send: (args: readonly string[]) => () => ReplyValue | undefined;
  readonly pass: (ms: number) => void;
}

/** Until then a held XADD has its answer, also when its leader had to hand over meanwhile. */
const PATIENCE_MS = 15_000;

/** Long enough for an answer to come when nothing is in its way. */
const ANSWER_MS = 200;

/**
 * With everything healed: reads all that is there, and then tries the limit, which has to be met to the entry.
 */
export function lookAtPressed({ ask, send, pass }: PressureRooms): ReadonlyMap<string, PressureView> {
  const views = new Map<string, PressureView>();
  for (const { name, maxLag, holdMs } of PRESSED) {
    const entries = ask(["XRANGE", name, "-", "+"]) as unknown as readonly Entry[];
    const lag = lagIn(ask(["XINFO", "GROUPS", name]));
    const read = (count: number): ReplyValue =>
      ask(["XREADGROUP", "GROUP", GROUP, "end", "COUNT", String(count), "NOACK", "STREAMS", name, ">"]);
    const answer = (reply: () => ReplyValue | undefined): ReplyValue | undefined => {
      for (let ms = 0; ms < PATIENCE_MS && reply() === undefined; ms += ANSWER_MS) pass(ANSWER_MS);
      return reply();
    };
    for (let rest = read(100); rest !== null; rest = read(100));
    for (let i = 0; i < maxLag; i++) expectId(name, ask(["XADD", name, "*", "p", `end ${i}`]));
    const next = send(["XADD", name, "*", "p", "end next"]);
    pass(ANSWER_MS);
    if (holdMs > ANSWER_MS) {
      if (next() !== undefined)
        throw new Error(`${name}: an XADD at the limit was not held: ${JSON.stringify(next())}`);
      read(1);
      expectId(name, answer(next));
      const last = send(["XADD", name, "*", "p", "end last"]);
      expectRefusal(name, maxLag, answer(last));
    } else {
      expectRefusal(name, maxLag, answer(next));
    }
    views.set(name, { entries, lag });
  }
  return views;
}

function expectId(stream: string, reply: ReplyValue | undefined): void {
  if (typeof reply !== "string") throw new Error(`${stream}: an XADD below the limit got ${JSON.stringify(reply)}`);
}

function expectRefusal(stream: string, maxLag: number, reply: ReplyValue | undefined): void {
  const text = `BACKPRESSURE group '${GROUP}' of '${stream}' is ${maxLag} entries behind (limit ${maxLag})`;
  if (!(reply instanceof ErrorReply) || reply.text !== text)
    throw new Error(`${stream}: an XADD at the limit got ${JSON.stringify(reply)} instead of ${text}`);
}

/** What XINFO GROUPS says of the limited group. */
export function lagIn(reply: ReplyValue): number {
  const groups = reply as unknown as readonly (readonly (string | number | null)[])[];
  for (const group of groups) {
    if (group[group.indexOf("name") + 1] !== GROUP) continue;
    const lag = group[group.indexOf("lag") + 1];
    if (typeof lag === "number") return lag;
  }
  throw new Error(`no lag of ${GROUP} in ${JSON.stringify(reply)}`);
}
