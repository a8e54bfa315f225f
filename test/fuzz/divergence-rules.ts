/**
 * Where our replies may differ from redis-server 7.0.15, each rule with the line of docs/divergence.md that it stands for. A rule sees one command, what we
 * have answered and what the judge has answered; it takes out of both exactly the difference that it explains. Whatever is then left is a failure.
 *
 *   withhold    the judge would do what we do not: the command is not given to it, so that both states stay alike
 *   repair      commands that bring the judge's state to ours, where only the state differs
 *   reconcile   true when it has taken something out
 *   wakes       the judge's reply to a call that sleeps on with us; the sequence is over
 *   ends        the states differ from here on, in a way that nothing repairs: the sequence is over
 */
import { Errors, REDIS_VERSION } from "@headrace/commands";
import { isListpackKey } from "./grammar-hashes.ts";
import { fieldOf, isError, partsOf, writtenReply } from "./reply-tree.ts";
import type { ReplyTree } from "./reply-tree.ts";

export interface Asked {
  /** The record's name; null: no command that we know. */
  readonly command: string | null;
  readonly words: readonly string[];
  readonly ours: ReplyTree;
  /** Of EXEC: all its commands. Of one of these: those before it. */
  readonly queued: readonly (readonly string[])[];
}

export interface Answered extends Asked {
  readonly theirs: ReplyTree;
}

export interface DivergenceRule {
  readonly name: string;
  /** How its line in docs/divergence.md begins, or a part of the line that occurs once. */
  readonly line: string;
  readonly withhold?: (asked: Asked) => boolean;
  readonly repair?: (asked: Asked) => readonly (readonly string[])[];
  readonly reconcile?: (answered: Answered) => boolean;
  readonly ends?: (asked: Asked) => boolean;
  /** `reconcile` also judges a call that waits here (`ours` says nothing) while the judge has answered. */
  readonly whileWaiting?: true;
  /** After `reconcile` has taken something out. */
  readonly endsWhenUsed?: true;
  readonly wakes?: (theirs: ReplyTree) => boolean;
}

/** Behind all entries, and not what `>` stands for. */
const LAST_ID = "18446744073709551615-18446744073709551614";

const COUNT_MAX = String(Number.MAX_SAFE_INTEGER);

/** Milliseconds in what these answer. */
const EXPIRY_UNITS: ReadonlyMap<string, number> = new Map([
  ["pexpiretime", 1],
  ["pttl", 1],
  ["expiretime", 1000],
  ["ttl", 1000],
]);

/** No clock of a run is later: the year 2112. */
const CLOCK_MAX_MS = 2 ** 42;

const SHARED_SETTINGS = new Set(["stream-node-max-entries", "stream-node-max-b*", "nosuch", "maxmemory"]);

const IDMP_FIELDS = ["idmp-duration", "idmp-maxsize", "pids-tracked", "iids-tracked", "iids-added", "iids-duplicates"];

/** Of XINFO STREAM: the radix tree as the judge has it, where the numbers of keys may differ so. */
function becomesOtherTree(
  { command, ours, theirs }: Answered,
  mayBe: (keys: number, others: number) => boolean,
): boolean {
  if (command !== "xinfo|stream" || isError(ours) || isError(theirs)) return false;
  const [keys, others] = [fieldOf(ours, "radix-tree-keys"), fieldOf(theirs, "radix-tree-keys")];
  const [nodes, otherNodes] = [fieldOf(ours, "radix-tree-nodes"), fieldOf(theirs, "radix-tree-nodes")];
  if (keys === null || others === null || nodes === null || otherNodes === null) return false;
  if (nodes.text === otherNodes.text && keys.text === others.text) return false;
  if (!mayBe(Number(keys.text), Number(others.text))) return false;
  become(nodes, otherNodes);
  return become(keys, others);
}

/** Takes fields out of a map, or of what stands for one in RESP2. */
function dropFields(tree: ReplyTree, names: readonly string[]): boolean {
  if (tree.items.length === 0 || tree.items.length % 2 === 1) return false;
  const kept: ReplyTree[] = [];
  for (let i = 0; i < tree.items.length; i += 2) {
    const name = tree.items[i]!.text;
    if (tree.items[i]!.type === "$" && name !== null && names.includes(name)) continue;
    kept.push(tree.items[i]!, tree.items[i + 1]!);
  }
  const changed = kept.length !== tree.items.length;
  if (changed) tree.items = kept;
  return changed;
}

function dropEverywhere(tree: ReplyTree, names: readonly string[]): boolean {
  let found = false;
  for (const part of partsOf(tree)) if (dropFields(part, names)) found = true;
  return found;
}

/** Streams, group and consumer that an XREADGROUP, XCLAIM or XAUTOCLAIM names. */
function readers(words: readonly string[]): { keys: readonly string[]; group: string; consumer: string } | null {
  const name = words[0]!.toUpperCase();
  if (name === "XREADGROUP") {
    const upper = words.map((word) => word.toUpperCase());
    let at = 1;
    let group = "";
    let consumer = "";
    while (at < words.length && upper[at] !== "STREAMS") {
      if (upper[at] === "GROUP") {
        group = words[at + 1] ?? "";
        consumer = words[at + 2] ?? "";
        at += 3;
      } else {
        at += upper[at] === "NOACK" ? 1 : 2;
      }
    }
    const list = words.slice(at + 1);
    return { keys: list.slice(0, list.length / 2), group, consumer };
  }
  if (name === "XCLAIM" || name === "XAUTOCLAIM") return { keys: [words[1]!], group: words[2]!, consumer: words[3]! };
  return null;
}

const showsConsumers = new Set([
  "xinfo|stream",
  "xinfo|groups",
  "xinfo|consumers",
  "xgroup|createconsumer",
  "xgroup|delconsumer",
]);

export const divergenceRules: readonly DivergenceRule[] = [
  {
    name: "the table of LCS has at most 16 MiB",
    line: "A string has at most 16 MiB",
    reconcile({ command, ours, theirs }) {
      return command === "lcs" && ours.text === Errors.lcsTooLarge && become(ours, theirs);
    },
  },
  {
    name: "the version that is announced",
    line: "- HELLO and INFO announce 8.10.0",
    reconcile: ({ command, ours, theirs }) => {
      if (command !== "hello") return false;
      const mine = fieldOf(ours, "version");
      const his = fieldOf(theirs, "version");
      if (mine?.text !== REDIS_VERSION || his === null || !his.text!.startsWith("7.")) return false;
      mine.text = his.text;
      return true;
    },
  },
  {
    name: "inactive and active-time",
    line: "- XINFO CONSUMERS has `inactive`",
    reconcile: ({ command, ours }) => {
      if (command !== "xinfo|consumers" && command !== "xinfo|stream") return false;
      return dropEverywhere(ours, ["inactive", "active-time"]);
    },
  },
  {
    name: "nacked-count",
    line: "`nacked-count`",
    reconcile: ({ command, ours }) => command === "xinfo|stream" && dropEverywhere(ours, ["nacked-count"]),
  },
  {
    name: "idempotent producing in XINFO STREAM",
    line: "IDMP",
    reconcile: ({ command, ours }) => command === "xinfo|stream" && dropFields(ours, IDMP_FIELDS),
  },
  {
    name: "consumers are made and seen by every call",
    line: "- XREADGROUP creates its consumer even when there is nothing to deliver",
    repair: ({ words, ours }) => {
      if (isError(ours)) return [];
      const reader = readers(words);
      if (reader === null) return [];
      const { keys, group, consumer } = reader;
      // A look into a history behind its end makes the consumer and notes that it was seen.
      return [["XREADGROUP", "GROUP", group, consumer, "STREAMS", ...keys, ...keys.map(() => LAST_ID)]];
    },
    // Within one transaction the judge's state is not brought to ours before the end.
    reconcile: ({ command, queued, ours, theirs }) => {
      if (command === null || !showsConsumers.has(command) || isError(ours) || isError(theirs)) return false;
      return queued.some((words) => readers(words) !== null) && become(ours, theirs);
    },
    ends: ({ command, queued }) => {
      if (command !== "exec") return false;
      const first = queued.findIndex((words) => readers(words) !== null);
      return (
        first >= 0 &&
        queued.slice(first).some(([name]) => /^(xgroup|del|unlink|flush|rename|copy|restore|p?expire)/i.test(name!))
      );
    },
  },
  {
    name: "a blocked XREADGROUP whose key or group is gone",
    line: "- A blocked XREADGROUP whose key or group goes away gets",
    reconcile: ({ command, ours, theirs }) => {
      if (command !== "xreadgroup" || !isError(ours) || !ours.text!.startsWith("NOGROUP ")) return false;
      // Time that jumps ends both the key and the call: which is seen first is nobody's promise.
      const hasTimedOut = theirs.type === "_" || (theirs.type === "*" && theirs.text === null);
      const isOlderText = /^(UNBLOCKED |NOGROUP the consumer group this client was blocked on)/.test(theirs.text ?? "");
      return (hasTimedOut || isOlderText) && become(ours, theirs);
    },
  },
  {
    name: "a woken read answers with all of its streams",
    line: "- A blocked XREAD or XREADGROUP that is woken runs again",
    reconcile: ({ command, words, ours, theirs }) => {
      if (command !== "xread" && command !== "xreadgroup") return false;
      if (!words.some((word) => word.toUpperCase() === "BLOCK") || ours.items.length <= theirs.items.length)
        return false;
      const streams = (tree: ReplyTree): string[] => {
        const size = tree.type === "%" ? 2 : 1;
        const parts: string[] = [];
        for (let i = 0; i < tree.items.length; i += size) {
          parts.push(
            tree.items
              .slice(i, i + size)
              .map(writtenReply)
              .join(""),
          );
        }
        return parts;
      };
      const own = streams(ours);
      const other = streams(theirs);
      return other.length === 1 && own.includes(other[0]!) && become(ours, theirs);
    },
    // What woke it is gone again: there is nothing to answer.
    wakes: ({ type, items }) => {
      const entries = type === "%" ? items.at(-1) : items.at(-1)?.items.at(-1);
      return entries?.type === "*" && entries.items.length === 0;
    },
  },
  {
    name: "a read that is woken for nothing, and CLIENT UNBLOCK",
    line: "- A blocked XREAD or XREADGROUP that is woken runs again",
    // The judge's read is over when the same piece comes to unblocking it; ours waits on.
    reconcile: ({ command, ours, theirs }) =>
      command === "client|unblock" && ours.text === "1" && theirs.text === "0" && become(ours, theirs),
    endsWhenUsed: true,
  },
  {
    name: "a node without entries",
    line: "- XTRIM MINID leaves no node whose entries are all deleted",
    reconcile: (answered) => becomesOtherTree(answered, (keys, others) => others - keys === 1),
    endsWhenUsed: true,
  },
  {
    name: "nodes behind deleted entries",
    line: "- radix-tree-nodes of XINFO STREAM is counted",
    // As many nodes, but one of them begins with an entry that is not there any more: a copy does not have it.
    reconcile: (answered) => becomesOtherTree(answered, (keys, others) => others === keys && keys > 1),
  },
  {
    name: "counters end earlier",
    line: "- Counters end earlier than Redis' 2^63−1",
    reconcile: ({ command, ours, theirs }) => {
      if (command !== "xinfo|stream" || isError(ours) || isError(theirs)) return false;
      const [added, others] = [fieldOf(ours, "entries-added"), fieldOf(theirs, "entries-added")];
      return added?.text === COUNT_MAX && /^\d{16,19}$/.test(others?.text ?? "") && become(added, others!);
    },
  },
  {
    name: "XGROUP DELCONSUMER HANDBACK",
    line: "- XGROUP DELCONSUMER has HANDBACK",
    reconcile: ({ command, words, ours, theirs }) =>
      command === "xgroup|delconsumer" &&
      words.length === 6 &&
      isError(theirs) &&
      theirs.text!.startsWith("ERR wrong number of arguments") &&
      become(ours, theirs),
    // Here the transaction goes on.
    endsWhenUsed: true,
  },
  {
    name: "XREAD +",
    line: "- XREAD takes `+`, the last entry",
    reconcile: ({ command, words, ours, theirs }) => {
      // `>` is complained about when the ids before it are right.
      const mayBe = !isError(ours) || ours.text === Errors.newIdWithoutGroup;
      if (command !== "xread" || !words.includes("+") || !mayBe) return false;
      if (!isError(theirs) || `${theirs.text}` !== Errors.invalidStreamId) return false;
      return become(ours, theirs);
    },
    whileWaiting: true,
  },
  {
    name: "the text of an unbalanced list",
    line: "the error text of an unbalanced list names the command",
    reconcile: ({ command, ours, theirs }) => {
      if (command !== "xread" && command !== "xreadgroup") return false;
      if (ours.text !== Errors.unbalancedRead && ours.text !== Errors.unbalancedReadGroup) return false;
      if (theirs.text?.startsWith("ERR Unbalanced ") !== true) return false;
      return become(ours, theirs);
    },
  },
  {
    name: "XREADGROUP +",
    line: "- XREADGROUP answers `+` with the text about meaningless ids",
    reconcile: ({ command, ours, theirs }) => {
      if (command !== "xreadgroup" || ours.text !== Errors.plusInReadGroup) return false;
      if (theirs.text !== Errors.invalidStreamId) return false;
      return become(ours, theirs);
    },
  },
  {
    name: "XSETID below the greatest deleted id",
    line: "- XSETID refuses an id below the greatest deleted one",
    withhold: ({ command, ours }) => command === "xsetid" && ours.text === Errors.setIdBelowDeleted,
    reconcile: ({ command, ours, theirs }) => {
      if (command !== "xsetid" || ours.text !== Errors.setIdBelowDeleted) return false;
      return (theirs.text === "OK" || theirs.text === Errors.setIdBelowTop) && become(ours, theirs);
    },
    // In a transaction it can't be withheld.
    ends: ({ command, ours }) => command === "exec" && ours.items.some(({ text }) => text === Errors.setIdBelowDeleted),
  },
  {
    name: "a transaction is about one slot",
    line: "- A transaction is one entry of one shard's log",
    withhold: ({ ours }) => isError(ours) && ours.text!.startsWith("CROSSSLOT "),
    // The transaction must not be executed there either.
    repair: ({ command, ours }) =>
      command !== "watch" && isError(ours) && ours.text!.startsWith("CROSSSLOT ") ? [["XADD"]] : [],
  },
  {
    name: "lag and entries-read",
    line: "lag and entries-read follow Redis 8's rules",
    reconcile: ({ command, ours, theirs }) => {
      if (command !== "xinfo|groups" && command !== "xinfo|stream") return false;
      const others = [...partsOf(theirs)];
      let found = false;
      for (const [i, part] of [...partsOf(ours)].entries()) {
        for (const name of ["entries-read", "lag"]) {
          const mine = fieldOf(part, name);
          const his = others[i] === undefined ? null : fieldOf(others[i], name);
          if (mine === null || his === null || (mine.type === his.type && mine.text === his.text)) continue;
          // We know it where 7.0 does not; a counter is capped, so that no lag is below 0; an empty stream has none; counts go on from what was trimmed.
          if (!":_$".includes(mine.type) || !":_$".includes(his.type)) continue;
          become(mine, his);
          found = true;
        }
      }
      return found;
    },
  },
  {
    name: "CLIENT UNBLOCK in a transaction",
    line: "- In a transaction CLIENT UNBLOCK comes",
    reconcile: ({ command, queued, ours, theirs }) => {
      if (command !== "exec") return false;
      let found = false;
      for (const [i, [name, sub]] of queued.entries()) {
        const [own, other] = [ours.items[i], theirs.items[i]];
        if (!/^client$/i.test(name!) || !/^unblock$/i.test(sub ?? "") || own?.text !== "0" || other?.text !== "1")
          continue;
        become(own, other);
        found = true;
      }
      return found;
    },
    endsWhenUsed: true,
  },
  {
    name: "a timeout that runs over",
    line: "- XREAD BLOCK above 2^53−1 ms is out of range",
    withhold: ({ ours }) => ours.text === Errors.timeoutOutOfRange,
    // In a transaction it can't be withheld, and nothing blocks.
    reconcile: ({ ours, theirs }) => ours.text === Errors.timeoutOutOfRange && !isError(theirs) && become(ours, theirs),
  },
  {
    name: "a time to live that runs over",
    line: "- RESTORE with a time to live that runs over",
    ends: ({ command, words, ours }) => command === "restore" && !isError(ours) && /^\d{19}$/.test(words[2] ?? ""),
  },
  {
    name: "times of expiry end earlier",
    line: "- Times of expiry end at 2^53−1",
    reconcile: ({ command, ours, theirs }) => {
      const unit = command === null ? undefined : EXPIRY_UNITS.get(command);
      if (unit === undefined || ours.type !== ":" || theirs.type !== ":") return false;
      const [own, other] = [Number(ours.text), Number(theirs.text)];
      // What is left until then is less than the time itself, by what the clock says.
      const isLast =
        own <= Math.round(Number.MAX_SAFE_INTEGER / unit) && own >= (Number.MAX_SAFE_INTEGER - CLOCK_MAX_MS) / unit;
      return isLast && other > own && become(ours, theirs);
    },
  },
  {
    name: "one database",
    line: "- There is one database",
    withhold: ({ ours, words }) =>
      ours.text === Errors.databaseOutOfRange && words.some((word) => /^(1?\d)$/.test(word) && Number(word) < 16),
    // In a transaction it can't be withheld.
    ends: ({ command, ours }) =>
      command === "exec" && ours.items.some(({ text }) => text === Errors.databaseOutOfRange),
    reconcile: ({ ours, theirs }) =>
      ours.text === Errors.databaseOutOfRange && !isError(theirs) && become(ours, theirs),
  },
  {
    name: "CLIENT REPLY in a transaction",
    line: "- CLIENT REPLY inside MULTI is refused",
    withhold: ({ command, ours }) => command === "client|reply" && ours.text === Errors.notInsideMulti,
    // The transaction must not be executed there either.
    repair: ({ command, ours }) =>
      command === "client|reply" && ours.text === Errors.notInsideMulti ? [["XADD"]] : [],
  },
  {
    name: "HELLO in a transaction",
    line: "- In a transaction that changes the protocol by HELLO",
    reconcile: ({ queued, ours, theirs }) => {
      const changes = queued.some(([name, version]) => /^(hello|reset)$/i.test(name!) && version !== "");
      return changes && versionless(ours) === versionless(theirs) && become(ours, theirs);
    },
  },
  {
    name: "HELP lists only what exists",
    line: "HELP lists only what exists",
    reconcile: ({ command, ours, theirs }) => {
      if (command?.endsWith("|help") !== true || theirs.type !== "*" || ours.type !== "*") return false;
      const frame = (tree: ReplyTree): string => [0, -2, -1].map((at) => tree.items.at(at)?.text).join("\n");
      return frame(ours) === frame(theirs) && become(ours, theirs);
    },
  },
  {
    name: "lines of CLIENT LIST and CLIENT INFO",
    line: "- CLIENT LIST and CLIENT INFO show",
    reconcile: ({ command, ours, theirs }) => {
      if (command !== "client|list" && command !== "client|info") return false;
      if (isError(ours) || isError(theirs) || ours.text === null || theirs.text === null) return false;
      const [own, other] = [comparableClients(ours.text), comparableClients(theirs.text)];
      // What was withheld from the judge, and what brings its state to ours, is typed into the same connections: only who asks has typed the same.
      const isSame = (line: string, i: number): boolean =>
        line === other[i] ||
        ((!isAsking(line) || !isAsking(other[i]!)) && withoutCommand(line) === withoutCommand(other[i]!));
      return own.length === other.length && own.every(isSame) && become(ours, theirs);
    },
  },
  {
    name: "order of CONFIG GET",
    line: "CONFIG GET lists its parameters",
    reconcile: ({ command, words, ours, theirs }) => {
      if (command !== "config|get" || isError(ours) || isError(theirs)) return false;
      // A pattern that finds more than the few that both have alike.
      if (words.slice(2).some((word) => !SHARED_SETTINGS.has(word))) return become(ours, theirs);
      const sorted = (tree: ReplyTree): ReplyTree[] => {
        const pairs: ReplyTree[][] = [];
        for (let i = 0; i + 1 < tree.items.length; i += 2) pairs.push([tree.items[i]!, tree.items[i + 1]!]);
        return pairs.toSorted(([a], [b]) => (a!.text! < b!.text! ? -1 : 1)).flat();
      };
      ours.items = sorted(ours);
      theirs.items = sorted(theirs);
      return true;
    },
  },
  {
    name: "counts that CONFIG keeps",
    line: "- CONFIG SET takes counts up to 2^53−1",
    reconcile: ({ command, ours, theirs }) => {
      if (command !== "config|get" || ours.items.length !== theirs.items.length) return false;
      let found = false;
      for (const [i, item] of ours.items.entries()) {
        const other = theirs.items[i]!;
        if (item.text !== COUNT_MAX || !/^\d{16,19}$/.test(other.text ?? "")) continue;
        become(item, other);
        found = true;
      }
      return found;
    },
  },
  {
    name: "a HELLO that is refused changes nothing",
    line: "- A HELLO that is refused changes nothing",
    ends: ({ command, words, ours }) =>
      command === "hello" && isError(ours) && words.some((word) => word.toUpperCase() === "SETNAME"),
    reconcile: ({ command, queued, ours, theirs }) => {
      const isRefused = ([name, ...rest]: readonly string[], i: number): boolean =>
        /^hello$/i.test(name!) && rest.some((word) => word.toUpperCase() === "SETNAME") && isErrorAt(ours, i);
      return (
        command === "exec" &&
        ours.items.length === theirs.items.length &&
        queued.some(isRefused) &&
        become(ours, theirs)
      );
    },
    endsWhenUsed: true,
  },
  {
    name: "cluster modes",
    line: "- CLUSTER answers although HELLO says `standalone` at a gateway",
    reconcile: ({ command, ours, theirs }) => {
      if (command !== "asking" && command !== "readonly" && command !== "readwrite") return false;
      if (ours.text !== "OK" || theirs.text !== "ERR This instance has cluster support disabled") return false;
      return become(ours, theirs);
    },
  },
  {
    name: "MEMORY USAGE",
    line: "- MEMORY USAGE",
    reconcile: ({ command, ours, theirs }) =>
      command === "memory|usage" && ours.type === ":" && theirs.type === ":" && become(ours, theirs),
  },
  {
    name: "the form of DUMP",
    line: "- DUMP gives streams in a form of our own",
    reconcile: ({ command, ours, theirs }) =>
      command === "dump" && ours.type === "$" && theirs.type === "$" && ours.text !== null && theirs.text !== null
        ? become(ours, theirs)
        : false,
  },
  {
    name: "RANDOMKEY",
    line: "RANDOMKEY",
    reconcile: ({ command, ours, theirs }) =>
      command === "randomkey" && ours.text !== null && theirs.text !== null && become(ours, theirs),
  },
  {
    name: "members by chance",
    line: "- SPOP and SRANDMEMBER draw by chance",
    withhold: hasPopped,
    repair: (asked) => (hasPopped(asked) ? [["SREM", asked.words[1]!, ...drawnOf(asked.ours)]] : []),
    reconcile: ({ command, ours, theirs }) => {
      if (command !== "srandmember" || isError(ours) || isError(theirs)) return false;
      if (ours.items.length !== theirs.items.length || (ours.text === null) !== (theirs.text === null)) return false;
      return become(ours, theirs);
    },
    // In a transaction both draw.
    ends: ({ command, ours }) => command === "spop" && ours.text === "QUEUED",
  },
  {
    name: "order of members",
    line: "- Members of a set come in an order of our own",
    reconcile: ({ command, words, ours, theirs }) => {
      if (command === null || !MEMBER_LISTS.has(command) || isError(ours) || isError(theirs)) return false;
      if (command === "sscan") {
        // What another cursor than the first finds depends on the judge's hash function, and so does the first when it asks for few.
        const isWhole = words[2] === "0" && ours.items[0]?.text === "0" && theirs.items[0]?.text === "0";
        return isWhole ? sortBoth(ours.items[1]!, theirs.items[1]!) : become(ours, theirs);
      }
      return sortBoth(ours, theirs);
    },
  },
  {
    name: "fields by chance",
    line: "- HRANDFIELD draws by chance",
    reconcile: ({ command, ours, theirs }) =>
      command === "hrandfield" && isOfOneShape(ours, theirs) && become(ours, theirs),
  },
  {
    name: "order of fields",
    line: "- Fields of a hash that is no listpack come in an order of our own",
    reconcile: ({ command, words, ours, theirs }) => {
      if (command === null || isError(ours) || isError(theirs) || isListpackKey(words[1] ?? "")) return false;
      if (command === "hkeys" || command === "hvals") return sortBoth(ours, theirs);
      if (command === "hgetall") return sortPairs(ours, theirs);
      if (command !== "hscan") return false;
      const isWhole = words[2] === "0" && ours.items[0]?.text === "0" && theirs.items[0]?.text === "0";
      return isWhole ? sortPairs(ours.items[1]!, theirs.items[1]!) : become(ours, theirs);
    },
  },
  {
    name: "order of keys",
    line: "- SCAN orders keys by slot",
    reconcile: ({ command, words, ours, theirs }) => {
      if (command !== "scan" && command !== "keys") return false;
      // What another cursor than the first finds depends on the judge's hash function, and so does the first when it asks for few.
      const isWhole = words[1] === "0" && ours.items[0]?.text === "0" && theirs.items[0]?.text === "0";
      if (command === "scan" && !isWhole && !isError(ours) && !isError(theirs)) return become(ours, theirs);
      const lists = [ours, theirs].map((tree) => (command === "scan" ? tree.items[1] : tree));
      let found = false;
      for (const list of lists) {
        if (list === undefined) return false;
        const sorted = list.items.toSorted((a, b) => (a.text! < b.text! ? -1 : 1));
        if (sorted.some((item, i) => item !== list.items[i])) found = true;
        list.items = sorted;
      }
      return found;
    },
  },
];

const MEMBER_LISTS: ReadonlySet<string> = new Set(["smembers", "sinter", "sunion", "sdiff", "sscan"]);

function drawnOf({ text, items }: ReplyTree): readonly string[] {
  return items.length > 0 ? items.map((item) => item.text!) : [text!];
}

function hasPopped({ command, ours }: Asked): boolean {
  return command === "spop" && (ours.type === "$" ? ours.text !== null : ours.items.length > 0);
}

/** Whether there was something to sort. */
function sortBoth(...lists: readonly ReplyTree[]): boolean {
  let found = false;
  for (const list of lists) {
    const sorted = list.items.toSorted((a, b) => (a.text! < b.text! ? -1 : 1));
    if (sorted.some((item, i) => item !== list.items[i])) found = true;
    list.items = sorted;
  }
  return found;
}

/** The same of lists of fields with values. */
function sortPairs(...lists: readonly ReplyTree[]): boolean {
  let found = false;
  for (const list of lists) {
    const pairs = list.items.flatMap((field, i) => (i % 2 === 0 ? [[field, list.items[i + 1]!] as const] : []));
    const sorted = pairs.toSorted(([a], [b]) => (a.text! < b.text! ? -1 : 1));
    if (sorted.some((pair, i) => pair !== pairs[i])) found = true;
    list.items = sorted.flat();
  }
  return found;
}

/** Both are errors, nothing, or have as many parts of as many parts. */
function isOfOneShape(ours: ReplyTree, theirs: ReplyTree): boolean {
  if (isError(ours) || isError(theirs) || ours.type !== theirs.type) return false;
  if ((ours.text === null) !== (theirs.text === null) || ours.items.length !== theirs.items.length) return false;
  return ours.items.every((item, i) => isOfOneShape(item, theirs.items[i]!));
}

function isErrorAt({ items }: ReplyTree, i: number): boolean {
  return items[i] !== undefined && isError(items[i]);
}

/** A reply as it would be in either version of the protocol. */
function versionless({ type, text, items }: ReplyTree): string {
  if (text === null || type === "_") return "null";
  // XREAD has a map of streams in RESP3, and pairs in RESP2.
  const arePairs =
    type === "*" && items.length > 0 && items.every((item) => item.type === "*" && item.items.length === 2);
  if (arePairs)
    return `[${items
      .flatMap((item) => item.items)
      .map(versionless)
      .join()}]`;
  if ("*%~".includes(type)) return `[${items.map(versionless).join()}]`;
  return JSON.stringify("$=,".includes(type) ? text.replace(/^txt:/, "") : type + text);
}

/** The connections by which the run itself speaks with both sides. */
export const CONTROL_NAME = "control";
const CLIENT_FIELDS = /^(id|name|db|sub|psub|cmd|user|redir|resp)=/;

/** What lines about clients say of them, and not of the process and its buffers. */
function comparableClients(lines: string): string[] {
  return lines
    .replace(/^txt:/, "")
    .split("\n")
    .filter((line) => !line.includes(`name=${CONTROL_NAME} `))
    .map((line) =>
      line
        .split(" ")
        .filter((field) => CLIENT_FIELDS.test(field))
        .join(" "),
    );
}

function isAsking(line: string): boolean {
  return /(^| )cmd=client\|(list|info)( |$)/.test(line);
}

function withoutCommand(line: string): string {
  return line.replace(/(^| )cmd=\S*/, "");
}

/** The part reads as the judge's from now on. */
function become(part: ReplyTree, theirs: ReplyTree): true {
  Object.assign(part, theirs);
  return true;
}
