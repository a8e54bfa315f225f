/**
 * What becomes of each entry of a long run, judged as answers come, so that nothing but a line for each entry has to be kept: in the end it was acknowledged once
 * or is in the dead-letter stream once; none is in both, none in neither, none is there that was refused, and nothing was changed on the way. Lines go by
 * payloads, each of which exists once: an entry that was sent back may have been added anew under another id.
 *
 * An acknowledgement whose answer was lost may have counted; then the entry may have gone by it, or it may not. Entries that went so are counted apart.
 */
import type { ErrorReply } from "../reply-value.ts";
import type { Operation } from "../sim-client.ts";
import { type Entry, isRefused } from "./reading.ts";

export interface LedgerStream {
  readonly name: string;
  readonly dead: string;
  /** Nothing leaves it. */
  readonly isWhole: boolean;
  readonly isSentBack: boolean;
}

export interface LedgerRules {
  readonly group: string;
  /** How often an entry is delivered before it is given up. */
  readonly deliveriesMax: number;
  readonly isPoison: (payload: string) => boolean;
}

/** What a reader finds when all is healed, all is due and all was handed out. */
export interface LedgerView {
  readonly entries: readonly Entry[];
  readonly pendingCount: number;
  /** What the stream says it has been given in its life. */
  readonly entriesAdded: number;
  /** What the group says it has given up in its life. */
  readonly deadLetterCount: number;
}

export interface Outcome {
  readonly entries: number;
  readonly poison: number;
  readonly acknowledged: number;
  /** Of them by an acknowledgement whose answer was lost. */
  readonly unheard: number;
  readonly dead: number;
  /** Came back from a dead-letter stream, and were acknowledged or given up again. */
  readonly cameBack: number;
  /** XADDs of unknown fate that have happened, and those that have not. */
  readonly unknownAdded: number;
  readonly unknownGone: number;
}

/** One entry. */
class Line {
  readonly bodyBytes: number;
  isAnswered = false;
  isRefused = false;
  /** Mostly one. */
  readonly ids: string[] = [];
  deliveries = 0;
  /** Step at which an acknowledgement was answered with 1; −1: none. */
  acknowledgedStep = -1;
  isPerhapsAcknowledged = false;
  isFatal = false;
  letters = 0;

  constructor(bodyBytes: number) {
    this.bodyBytes = bodyBytes;
  }
}

interface Account extends LedgerStream {
  readonly lines: Map<string, Line>;
  readonly byId: Map<string, string>;
}

export class Ledger {
  deliveries = 0;
  redeliveries = 0;
  refused = 0;
  handedToDeadLetters = 0;
  readonly #accounts: Map<string, Account>;
  readonly #rules: LedgerRules;

  constructor(streams: readonly LedgerStream[], rules: LedgerRules) {
    this.#accounts = new Map(streams.map((each) => [each.name, { ...each, lines: new Map(), byId: new Map() }]));
    this.#rules = rules;
  }

  /** An XADD has left its client. `bodyBytes`: of what stands beside the payload. */
  sent(stream: string, payload: string, bodyBytes: number): void {
    this.#accounts.get(stream)!.lines.set(payload, new Line(bodyBytes));
  }

  /** An answer has come, or none ever will. Throws on the first contradiction. */
  heard(operation: Operation): void {
    const { args } = operation;
    if (args[0] === "XADD") this.#added(operation);
    else if (args[0] === "XREADGROUP") this.#delivered(operation);
    else if (args[0] === "XACK") this.#acknowledged(operation);
    else if (args[0] === "XNACK") this.#givenBack(operation);
  }

  #added(operation: Operation): void {
    const { args, reply } = operation;
    const stream = args[1]!;
    const payload = payloadSent(args);
    const account = this.#accounts.get(stream)!;
    const line = account.lines.get(payload)!;
    if (isRefused(operation)) {
      line.isRefused = true;
      this.refused++;
      if (line.ids.length > 0)
        throw new Error(`${stream} ${payload} was refused (${(reply as ErrorReply).text}), but is at ${line.ids[0]!}`);
    }
    if (typeof reply !== "string") return;
    line.isAnswered = true;
    // A handle says only that it will appear.
    if (reply.startsWith("d")) return;
    if (line.ids.length > 0 && line.ids[0] !== reply && !account.isSentBack)
      throw new Error(`${stream} ${payload} was answered with ${reply}, but is at ${line.ids[0]!}`);
    this.#meetId(account, line, payload, reply);
  }

  #delivered(operation: Operation): void {
    if (!Array.isArray(operation.reply)) return;
    for (const [stream, entries] of operation.reply as unknown as readonly (readonly [string, readonly Entry[]])[]) {
      const account = this.#accounts.get(stream)!;
      for (const entry of entries) {
        const line = this.#meet(account, entry);
        this.deliveries++;
        if (line.deliveries++ > 0) this.redeliveries++;
        const [id] = entry;
        const { acknowledgedStep, deliveries } = line;
        if (acknowledgedStep >= 0 && acknowledgedStep < operation.invokedStep)
          throw new Error(`${stream} ${id} was acknowledged, and delivered to ${operation.client} afterwards`);
        if (!account.isSentBack && deliveries > this.#rules.deliveriesMax)
          throw new Error(`${stream} ${id} was delivered ${deliveries} times, and may be ${this.#rules.deliveriesMax}`);
      }
    }
  }

  /** Each names one id. */
  #acknowledged(operation: Operation): void {
    const { args, reply } = operation;
    const [, stream, , id] = args as [string, string, string, string];
    if (isRefused(operation)) return;
    const line = this.#lineAt(stream, id);
    if (typeof reply !== "number") {
      line.isPerhapsAcknowledged = true;
    } else if (reply === 1) {
      if (line.acknowledgedStep >= 0) throw new Error(`${stream} ${id} was acknowledged twice`);
      line.acknowledgedStep = operation.completedStep;
    }
  }

  #givenBack(operation: Operation): void {
    const { args, reply } = operation;
    if (args[3] !== "FATAL" || reply !== 1) return;
    this.#lineAt(args[1]!, args.at(-1)!).isFatal = true;
    this.handedToDeadLetters++;
  }

  #lineAt(stream: string, id: string): Line {
    const { byId, lines } = this.#accounts.get(stream)!;
    return lines.get(byId.get(id)!)!;
  }

  /** An entry as it was seen: it is what was sent, and what nobody refused. */
  #meet(account: Account, [id, fields]: Entry): Line {
    const payload = fields[1] ?? "";
    const line = account.lines.get(payload);
    if (line === undefined) throw new Error(`${account.name} ${id} is ${payload}, which nobody has sent there`);
    if (line.isRefused) throw new Error(`${account.name} ${payload} was refused, but is at ${id}`);
    if (fields[0] !== "p" || fields[2] !== "b" || fields[3]?.length !== line.bodyBytes)
      throw new Error(`${account.name} ${id} ${payload} is not as it was sent: ${JSON.stringify(fields)}`);
    this.#meetId(account, line, payload, id);
    return line;
  }

  #meetId({ name, byId, isSentBack }: Account, line: Line, payload: string, id: string): void {
    const other = byId.get(id);
    if (other === payload) return;
    if (other !== undefined) throw new Error(`${name} ${id} is ${payload}, and was ${other}`);
    if (line.ids.length > 0 && !isSentBack) throw new Error(`${name} ${payload} is at ${line.ids[0]!} and at ${id}`);
    byId.set(id, payload);
    line.ids.push(id);
  }

  /** With everything healed, due and handed out. `letters`: dead-letter stream → its entries. Throws on the first contradiction. */
  judge(views: ReadonlyMap<string, LedgerView>, letters: ReadonlyMap<string, readonly Entry[]>): Outcome {
    for (const [dead, entries] of letters) for (const entry of entries) this.#meetLetter(dead, entry);
    const sums = { entries: 0, poison: 0, acknowledged: 0, unheard: 0, dead: 0, cameBack: 0 };
    const unknown = { unknownAdded: 0, unknownGone: 0 };
    for (const [name, view] of views) {
      const account = this.#accounts.get(name)!;
      for (const entry of view.entries) this.#meet(account, entry);
      const here = this.#judgeStream(account, view, unknown);
      for (const key of ["entries", "poison", "acknowledged", "unheard", "dead", "cameBack"] as const)
        sums[key] += here[key];
    }
    return { ...sums, ...unknown };
  }

  #judgeStream(
    account: Account,
    view: LedgerView,
    unknown: { unknownAdded: number; unknownGone: number },
  ): Omit<Outcome, "unknownAdded" | "unknownGone"> {
    const { name } = account;
    const sums = { entries: 0, poison: 0, acknowledged: 0, unheard: 0, dead: 0, cameBack: 0 };
    if (view.pendingCount > 0)
      throw new Error(`${name}: ${view.pendingCount} entries stay pending, and nobody is given them`);
    for (const [payload, line] of account.lines) {
      if (!line.isAnswered && !line.isRefused) unknown[line.ids.length > 0 ? "unknownAdded" : "unknownGone"]++;
      if (line.ids.length === 0 && !line.isAnswered) continue;
      sums.entries++;
      if (this.#rules.isPoison(payload)) sums.poison++;
      const end = this.#endOf(name, payload, line);
      sums[end === "dead" ? "dead" : "acknowledged"]++;
      if (end === "unheard") sums.unheard++;
      if (line.isFatal && end !== "dead" && !account.isSentBack)
        throw new Error(`${name} ${payload} was given up (XNACK FATAL), and is no dead letter`);
    }
    this.#judgeCounts(account, view, sums.dead);
    sums.cameBack = view.deadLetterCount - sums.dead;
    return sums;
  }

  #endOf(name: string, payload: string, line: Line): "acknowledged" | "unheard" | "dead" {
    const where = `${name} ${line.ids[0] ?? ""} ${payload}`;
    const isAcknowledged = line.acknowledgedStep >= 0;
    if (line.ids.length === 0) throw new Error(`${name} ${payload} was accepted, and never appeared`);
    if (line.letters > 1) throw new Error(`${where} is in the dead-letter stream ${line.letters} times`);
    if (line.letters === 1 && isAcknowledged)
      throw new Error(`${where} was acknowledged, and is in the dead-letter stream`);
    if (this.#rules.isPoison(payload) && line.letters === 0) throw new Error(`${where} is poison, and no dead letter`);
    if (line.letters === 1) return "dead";
    if (isAcknowledged) return "acknowledged";
    if (!line.isPerhapsAcknowledged) throw new Error(`${where} was never acknowledged, and is no dead letter`);
    return "unheard";
  }

  /** What the stream and the group have counted themselves: what nobody ever saw would be missing here. */
  #judgeCounts({ name, byId, isWhole, isSentBack }: Account, view: LedgerView, dead: number): void {
    const { entries, entriesAdded, deadLetterCount } = view;
    if (byId.size > entriesAdded || (!isSentBack && byId.size < entriesAdded))
      throw new Error(`${name} was given ${entriesAdded} entries, and ${byId.size} were seen`);
    if (isWhole && entries.length !== byId.size)
      throw new Error(`${name} has ${entries.length} entries, and nobody has taken any of ${byId.size} away`);
    if (deadLetterCount < dead || (!isSentBack && deadLetterCount > dead))
      throw new Error(`the group of ${name} has given up ${deadLetterCount} entries, and ${dead} are dead letters`);
  }

  #meetLetter(dead: string, [id, fields]: Entry): void {
    const pairs = new Map<string, string>();
    for (let i = 4; i < fields.length; i += 2) pairs.set(fields[i]!, fields[i + 1]!);
    const account = this.#accounts.get(pairs.get("dlq:stream") ?? "");
    const isLetter = fields.length === 18 && pairs.get("dlq:group") === this.#rules.group && account?.dead === dead;
    if (!isLetter) throw new Error(`${id} of ${dead} is no letter: ${JSON.stringify(fields)}`);
    const line = this.#meet(account, [pairs.get("dlq:id")!, fields.slice(0, 4)]);
    line.letters++;
    const reason = pairs.get("dlq:reason");
    if (reason === "fatal") return;
    const deliveries = Number(pairs.get("dlq:deliveries"));
    if (reason !== "max-retries" || deliveries !== this.#rules.deliveriesMax)
      throw new Error(`${account.name} ${fields[1]!} was given up as ${reason} after ${deliveries} deliveries`);
  }
}

/** Of an XADD that ends in the fields `p payload b body`. */
export function payloadSent(args: readonly string[]): string {
  return args.at(-3)!;
}
