/**
 * Runs one sequence on both sides and compares the bytes of every reply. Ours answers first: from its replies follows what the judge is not given and what
 * brings the judge's state to ours (divergence-rules.ts). Consecutive commands of one connection travel in one piece on each side.
 */
import { waitsForElement } from "./element-waits.ts";
import { bytesOf, concatBytes, latin1 } from "@headrace/bytes";
import { commandTable } from "@headrace/commands";
import type { JudgedClient } from "../../packages/sim/testing/judged-cluster.ts";
import { CONTROL_NAME, divergenceRules } from "./divergence-rules.ts";
import type { Asked, DivergenceRule } from "./divergence-rules.ts";
import type { Sequence } from "./grammar.ts";
import { OurSide } from "./ours.ts";
import { isError, replyTree, writtenReply } from "./reply-tree.ts";
import type { ReplyTree } from "./reply-tree.ts";
import { encodeRequest, resolveWord, SEQUENCE_KEYS, shownRequest } from "./step.ts";
import type { Step } from "./step.ts";
import type { Tally } from "./tally.ts";
import { StillRedis } from "./theirs.ts";
import type { RawConnection } from "./theirs.ts";

/** Clocks of both sides begin here; every sequence has a minute of its own. */
const EPOCH_MS = 1_700_000_000_000;
const SEQUENCE_MS = 60_000;
/** What is asked of every stream when a sequence is over: all of its state. */
/** More than ever block at one time. */
const CONNECTIONS_MAX = 64;
const NO_REPLY = "(no reply yet)";

/** Both sides of one connection. */
interface Pair {
  readonly ours: JudgedClient;
  readonly theirs: RawConnection;
  /** Both sides' number of the connection. */
  readonly id: number;
  version: 2 | 3;
  /** The call that both sides have not answered. */
  blocked: readonly string[] | null;
  /** Between MULTI and EXEC: what is queued. */
  queued: readonly (readonly string[])[] | null;
}

export interface Difference {
  /** Everything that was typed, the last command being the one that was answered differently. */
  readonly typed: readonly string[];
  readonly ours: string;
  readonly theirs: string;
}

class Differs extends Error {
  readonly difference: Difference;

  constructor(difference: Difference) {
    super(`${difference.typed.at(-1)}`);
    this.difference = difference;
  }
}

/** The rest of the sequence would compare states that are known to differ. */
class Ended extends Error {}

export class Differential {
  readonly #ours: OurSide;
  readonly #theirs: StillRedis;
  readonly #control: RawConnection;
  #ourControl: JudgedClient;
  readonly #payload: string;
  #pairs: (Pair | null)[] = [];
  #version: 2 | 3 = 2;
  #nextId: number = 0;
  #typed: string[] = [];
  /** Null while a failing sequence is made smaller. */
  #tally: Tally | null = null;

  private constructor(ours: OurSide, theirs: StillRedis, control: RawConnection, payload: string) {
    this.#ours = ours;
    this.#theirs = theirs;
    this.#control = control;
    this.#ourControl = ours.open();
    this.#payload = payload;
  }

  static async open(): Promise<Differential> {
    const theirs = await StillRedis.start(EPOCH_MS);
    const control = await theirs.open();
    const differential = new Differential(new OurSide(EPOCH_MS), theirs, control, await payloadOf(control));
    await differential.#alignClientIds();
    return differential;
  }

  /** Both sides number their connections; from here on the numbers are the same. */
  async #alignClientIds(): Promise<void> {
    const request = encodeRequest(["CLIENT", "ID"]);
    const theirs = Number(replyTree(await this.#control.ask(request)).text);
    for (;;) {
      const ours = Number(replyTree(this.#ours.exchange(this.#ourControl, request, 1)[0]!).text);
      if (ours > theirs) throw new Error("the judge has numbered fewer connections than we have");
      this.#nextId = ours + 1;
      if (ours === theirs) break;
      this.#ourControl.close();
      this.#ourControl = this.#ours.open();
    }
    const name = encodeRequest(["CLIENT", "SETNAME", CONTROL_NAME]);
    this.#ours.exchange(this.#ourControl, name, 1);
    await this.#control.ask(name);
  }

  async close(): Promise<void> {
    this.#control.close();
    await this.#theirs.stop();
  }

  /** Null: answered alike. */
  async run({ version, steps, closing }: Sequence, tally: Tally | null): Promise<Difference | null> {
    this.#tally = tally;
    this.#version = version;
    this.#typed = [];
    await this.#clear();
    try {
      let place = 0;
      while (place < steps.length) place = await this.#segment(steps, place);
      this.#tally = null;
      await this.#close(closing);
      return null;
    } catch (error) {
      if (error instanceof Differs) return error.difference;
      if (error instanceof Ended) return null;
      throw error;
    } finally {
      for (const pair of this.#pairs) {
        pair?.ours.close();
        pair?.theirs.close();
      }
      this.#pairs = [];
    }
  }

  async #clear(): Promise<void> {
    const nowMs = this.#ours.nowMs + SEQUENCE_MS - ((this.#ours.nowMs - EPOCH_MS) % SEQUENCE_MS);
    this.#ours.setClock(nowMs);
    this.#theirs.setClock(nowMs);
    for (const command of [["CONFIG", "SET", "stream-node-max-entries", "100"], ["FLUSHALL"]]) {
      const request = encodeRequest(command);
      this.#ours.exchange(this.#ourControl, request, 1);
      await this.#control.ask(request);
    }
  }

  /** Runs the steps from `place` on that go in one piece; answers where the next piece begins. */
  async #segment(steps: readonly Step[], place: number): Promise<number> {
    const first = steps[place]!;
    if (!("words" in first)) {
      await this.#advance(first.advanceMs);
      return place + 1;
    }
    // Who waits asks nothing: another connection does.
    let { client } = first;
    let pair = await this.#pair(client);
    while (pair.blocked !== null) pair = await this.#pair((client = (client + 1) % CONNECTIONS_MAX));
    const commands: (readonly string[])[] = [];
    let end = place;
    while (end < steps.length) {
      const step = steps[end]!;
      if (!("words" in step) || step.client !== first.client) break;
      const circumstances = { place: end, nowMs: this.#ours.nowMs, payload: this.#payload, ids: this.#ids() };
      const words = step.words.map((word) => resolveWord(word, circumstances));
      const mayBlock = isBlocking(words);
      if (mayBlock && commands.length > 0) break;
      commands.push(words);
      end++;
      if (mayBlock) break;
    }
    // In a transaction nothing blocks.
    if (commands.length === 1 && isBlocking(commands[0]!) && pair.queued === null)
      await this.#mayBlock(pair, client, commands[0]!);
    else await this.#exchange(pair, client, commands);
    await this.#woken();
    return end;
  }

  #ids(): (number | undefined)[] {
    return Array.from(this.#pairs, (pair) => pair?.id);
  }

  async #pair(client: number): Promise<Pair> {
    const known = this.#pairs[client];
    if (known) return known;
    const pair: Pair = {
      ours: this.#ours.open(),
      theirs: await this.#theirs.open(),
      id: this.#nextId++,
      version: this.#version,
      blocked: null,
      queued: null,
    };
    this.#pairs[client] = pair;
    if (this.#version === 3) {
      const hello = encodeRequest(["HELLO", "3"]);
      this.#ours.exchange(pair.ours, hello, 1);
      await pair.theirs.ask(hello);
    }
    return pair;
  }

  async #exchange(pair: Pair, client: number, commands: readonly (readonly string[])[]): Promise<void> {
    const ours = this.#ours.exchange(pair.ours, concatBytes(commands.map(encodeRequest)), commands.length);
    const requests: Uint8Array[] = [];
    /** For each command: its place among the replies, −1 when it was withheld. */
    const places: number[] = [];
    let count = 0;
    let { queued } = pair;
    for (const [i, words] of commands.entries()) {
      const each = askedOf(words, ours[i]);
      const wasQueued = queued;
      queued = nextQueue(queued, each);
      const withheld = divergenceRules.find((rule) => rule.withhold?.(each) === true);
      if (withheld === undefined) {
        places.push(count++);
        requests.push(encodeRequest(each.words));
      } else {
        places.push(-1);
        this.#tally?.addRule(withheld.name);
      }
      for (const repair of this.#repairsOf(each, wasQueued)) {
        requests.push(encodeRequest(repair));
        count++;
      }
    }
    pair.theirs.send(concatBytes(requests));
    await pair.theirs.waitFor(count);
    const theirs = pair.theirs.replies.splice(0, count);
    for (const [i, words] of commands.entries()) {
      this.#typed.push(`c${client + 1}> ${shownRequest(words)}`);
      if (places[i]! >= 0) this.#compare(pair, words, ours[i], theirs[places[i]!]);
    }
  }

  /** Of a transaction: for each of its commands, when it is over. */
  #repairsOf(asked: Asked, queued: readonly (readonly string[])[] | null): readonly (readonly string[])[] {
    if (asked.ours.text === "QUEUED") return [];
    if (asked.command === "exec" && queued !== null && asked.ours.type === "*") {
      const { items } = asked.ours;
      return queued
        .slice(0, items.length)
        .flatMap((words, i) => this.#repairsOf({ command: nameOf(words), words, ours: items[i]!, queued: [] }, null));
    }
    const all: (readonly string[])[] = [];
    for (const rule of divergenceRules) {
      const commands = rule.repair?.(asked) ?? [];
      if (commands.length > 0) this.#tally?.addRule(rule.name);
      all.push(...commands);
    }
    return all;
  }

  /** A call of its own, which both sides answer or neither does. */
  async #mayBlock(pair: Pair, client: number, words: readonly string[]): Promise<void> {
    const request = encodeRequest(words);
    this.#typed.push(`c${client + 1}> ${shownRequest(words)}`);
    this.#ours.sendCall(pair.ours, request, nameOf(words) !== "wait");
    const ours = pair.ours.replies.shift();
    const withheld = divergenceRules.find(
      (rule) => ours !== undefined && rule.withhold?.(askedOf(words, ours)) === true,
    );
    if (withheld !== undefined) {
      this.#tally?.addRule(withheld.name);
      return;
    }
    pair.theirs.send(request);
    await this.#theirsSettled();
    const theirs = pair.theirs.replies.shift();
    if (ours === undefined && theirs === undefined) {
      pair.blocked = words;
      this.#tally?.addBlocked(nameOf(words), words, pair.version);
    } else if (ours === undefined) this.#endIfOnlyOursWaits(words, theirs!);
    else this.#compare(pair, words, ours, theirs);
    const asked = askedOf(words, ours);
    for (const repair of this.#repairsOf(asked, null)) await this.#control.ask(encodeRequest(repair));
  }

  /** Whatever was sent to the judge before has been executed and answered, if it is answered at all. */
  async #theirsSettled(): Promise<void> {
    const ping = encodeRequest(["PING"]);
    await this.#control.ask(ping);
    await this.#control.ask(ping);
    // What has arrived at the sockets is read.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Replies to calls that blocked: both sides have one, or neither. */
  async #woken(): Promise<void> {
    if (!this.#pairs.some((pair) => pair !== null && pair !== undefined && pair.blocked !== null)) return;
    this.#ours.settle();
    await this.#theirsSettled();
    for (const pair of this.#pairs) {
      if (!pair || pair.blocked === null) continue;
      const [ours, theirs] = [pair.ours.replies.shift(), pair.theirs.replies.shift()];
      if (ours === undefined && theirs === undefined) continue;
      const words = pair.blocked;
      if (theirs !== undefined) this.#endIfWoken(replyTree(theirs));
      pair.blocked = null;
      this.#typed.push(`(then, for ${shownRequest(words)})`);
      this.#compare(pair, words, ours, theirs);
    }
  }

  /** The judge has answered a call that waits here: ends the sequence where a rule says why. */
  #endIfOnlyOursWaits(words: readonly string[], theirs: Uint8Array): void {
    const answered = { ...askedOf(words, undefined), theirs: replyTree(theirs) };
    const rule = divergenceRules.find((each) => each.whileWaiting === true && each.reconcile?.(answered) === true);
    if (rule === undefined) throw this.#differs(undefined, theirs);
    this.#tally?.addRule(rule.name);
    throw new Ended();
  }

  /** The judge has woken a call that sleeps on with us, perhaps to be served later: whether a rule says so. */
  #endIfWoken(theirs: ReplyTree): void {
    const rule = divergenceRules.find((each) => each.wakes?.(theirs) === true);
    if (rule === undefined) return;
    this.#tally?.addRule(rule.name);
    throw new Ended();
  }

  async #advance(ms: number): Promise<void> {
    this.#typed.push(`(${ms} ms go by)`);
    this.#ours.advance(ms);
    this.#theirs.setClock(this.#ours.nowMs);
    await this.#theirsSettled();
    // Keys whose time is over go when they are met, on both sides; until then DBSIZE and others count them as each likes.
    const meet = encodeRequest(["EXISTS", ...SEQUENCE_KEYS]);
    this.#ours.exchange(this.#ourControl, meet, 1);
    await this.#control.ask(meet);
    // A mutation may have made one of another name: SCAN meets all that there are.
    await this.#control.ask(encodeRequest(["SCAN", "0", "COUNT", "1000"]));
    await this.#woken();
  }

  async #close(closing: Sequence["closing"]): Promise<void> {
    for (const pair of this.#pairs) {
      pair?.ours.close();
      pair?.theirs.close();
    }
    this.#pairs = [];
    this.#version = 2;
    const pair = await this.#pair(0);
    const commands = SEQUENCE_KEYS.flatMap(closing);
    await this.#exchange(pair, 0, commands);
  }

  #compare(pair: Pair, words: readonly string[], ours: Uint8Array | undefined, theirs: Uint8Array | undefined): void {
    if (ours === undefined || theirs === undefined) throw this.#differs(ours, theirs);
    const command = nameOf(words);
    this.#tally?.add(command, words, pair.version, theirs);
    if (Buffer.compare(ours, theirs) !== 0) this.#explain(pair, words, ours, theirs);
    const asked = { ...askedOf(words, ours), queued: pair.queued ?? [] };
    pair.version = nextVersion(pair.version, asked);
    pair.queued = nextQueue(pair.queued, asked);
    // From here on the two states would differ.
    const ending = divergenceRules.find((rule) => rule.ends?.(asked) === true);
    if (ending !== undefined) {
      this.#tally?.addRule(ending.name);
      throw new Ended();
    }
  }

  /** Throws when something differs that no rule takes out. */
  #explain(pair: Pair, words: readonly string[], ours: Uint8Array, theirs: Uint8Array): void {
    const [mine, his] = [replyTree(ours), replyTree(theirs)];
    const used = new Set<DivergenceRule>();
    const all = pair.queued ?? [];
    const reconcile = (asked: readonly string[], part: ReplyTree, other: ReplyTree, queued: typeof all): void => {
      for (const rule of divergenceRules) {
        const answered = { command: nameOf(asked), words: asked, ours: part, theirs: other, queued };
        if (rule.reconcile?.(answered) === true) used.add(rule);
      }
    };
    reconcile(words, mine, his, words[0]!.toUpperCase() === "EXEC" ? all : []);
    if (words[0]!.toUpperCase() === "EXEC" && mine.type === "*" && his.type === "*") {
      for (const [i, asked] of all.entries()) {
        const [part, other] = [mine.items[i], his.items[i]];
        if (part !== undefined && other !== undefined) reconcile(asked, part, other, all.slice(0, i));
      }
    }
    const left = { ours: writtenReply(mine), theirs: writtenReply(his) };
    if (left.ours !== left.theirs) throw new Differs({ typed: [...this.#typed], ...left });
    for (const { name } of used) this.#tally?.addRule(name);
    if ([...used].some(({ endsWhenUsed }) => endsWhenUsed === true)) throw new Ended();
  }

  #differs(ours: Uint8Array | undefined, theirs: Uint8Array | undefined): Differs {
    const shown = (reply: Uint8Array | undefined): string =>
      reply === undefined ? NO_REPLY : latin1(reply, 0, reply.length);
    return new Differs({ typed: [...this.#typed], ours: shown(ours), theirs: shown(theirs) });
  }
}

/** What is queued behind this reply; null: no transaction is open. */
function nextQueue(
  queued: readonly (readonly string[])[] | null,
  { command, words, ours }: Asked,
): readonly (readonly string[])[] | null {
  if (ours.text === "QUEUED" && queued !== null) return [...queued, words];
  if (command === "multi" && !isError(ours)) return [];
  // A wrong number of arguments leaves the transaction open.
  if (ours.text?.startsWith("ERR wrong number of arguments ") === true) return queued;
  if (command === "exec" || command === "discard" || command === "reset") return null;
  return queued;
}

function nextVersion(version: 2 | 3, { command, words, ours }: Asked): 2 | 3 {
  if (isError(ours) || ours.text === "QUEUED") return version;
  if (command === "reset") return 2;
  if (command === "hello" && words.length > 1) return words[1] === "3" ? 3 : 2;
  return version;
}

function askedOf(words: readonly string[], ours: Uint8Array | undefined): Asked {
  return { command: nameOf(words), words, ours: ours === undefined ? blockedTree() : replyTree(ours), queued: [] };
}

/** Stands for a reply that has not come: no error, and nothing in it. */
function blockedTree(): ReplyTree {
  return { type: "_", text: "", items: [] };
}

function isBlocking(words: readonly string[]): boolean {
  const name = words[0]!.toUpperCase();
  if (name === "WAIT") return Number(words[1]) > 0;
  if (waitsForElement(name)) return true;
  return (name === "XREAD" || name === "XREADGROUP") && words.some((word) => word.toUpperCase() === "BLOCK");
}

const names = new Map(
  commandTable.flatMap((record) => [
    [record.name, record.name] as const,
    ...(record.subcommands ?? []).map((sub) => [sub.name, sub.name] as const),
  ]),
);

/** The command's name in our table; null: there is none. */
export function nameOf(words: readonly string[]): string | null {
  const name = words[0]!.toLowerCase();
  const full = words.length > 1 ? `${name}|${words[1]!.toLowerCase()}` : name;
  return names.get(full) ?? names.get(name) ?? null;
}

/** A stream with a group and a pending entry, as this redis-server writes it. */
async function payloadOf(control: RawConnection): Promise<string> {
  for (const line of [
    "XADD payload 1-1 a 1",
    "XADD payload 2-1 b 2",
    "XGROUP CREATE payload g 0",
    "XREADGROUP GROUP g c COUNT 1 STREAMS payload >",
  ]) {
    await control.ask(bytesOf(`${line}\r\n`));
  }
  const reply = replyTree(await control.ask(bytesOf("DUMP payload\r\n")));
  if (isError(reply) || reply.text === null) throw new Error("redis-server does not dump a stream");
  return reply.text;
}
