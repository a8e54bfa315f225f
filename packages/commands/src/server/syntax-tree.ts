/**
 * A command's arguments as COMMAND DOCS tells them, read from the one line of syntax that its record has:
 *
 *   word            an argument; its type follows from the word (`count` is an integer, `key` a key)
 *   WORD            a token that is sent as it stands, as are = ~ * $ and digits
 *   WORD word …     the token belongs to the arguments behind it
 *   [ … ]           may be left out          < … >  one thing
 *   a | b           one of these; without brackets only of its two neighbours
 *   x [x …]         any number of them (written with three dots)
 */
import { assert } from "@headrace/bytes";

export type ArgumentType =
  | "string"
  | "integer"
  | "double"
  | "key"
  | "pattern"
  | "unix-time"
  | "pure-token"
  | "oneof"
  | "block";

export interface ArgumentNode {
  readonly name: string;
  readonly type: ArgumentType;
  /** Sent in front of the value, or the whole of a pure token; "" for none. */
  readonly token: string;
  readonly isOptional: boolean;
  readonly isMultiple: boolean;
  /** Each repetition begins with the token again. */
  readonly repeatsToken: boolean;
  /** Of a block or an alternative. */
  readonly parts: readonly ArgumentNode[];
}

/** The arguments behind the command's name. Throws for what is no syntax: that is a mistake in a record. */
export function syntaxTree(
  syntax: string,
  types: Readonly<Record<string, ArgumentType>> = {},
): readonly ArgumentNode[] {
  const words = syntax
    .replaceAll(/[[\]<>|]/g, " $& ")
    .split(" ")
    .filter((word) => word !== "");
  const parser = new SyntaxParser(words, types);
  const nodes = parser.sequence(null);
  assert(parser.isAtEnd, `syntax with a bracket too many: ${syntax}`);
  return nodes;
}

/** A piece before tokens are bound to what stands behind them. */
interface Piece {
  readonly node: ArgumentNode;
  /** Its words, to find out what a repetition repeats. */
  readonly text: string;
  readonly isBareToken: boolean;
}

class SyntaxParser {
  readonly #words: readonly string[];
  readonly #types: Readonly<Record<string, ArgumentType>>;
  #at: number;

  constructor(words: readonly string[], types: Readonly<Record<string, ArgumentType>>) {
    this.#words = words;
    this.#types = types;
    this.#at = 0;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#words.length;
  }

  /** Up to the closing bracket, or the end when `closing` is null. */
  sequence(closing: string | null): readonly ArgumentNode[] {
    const alternatives: Piece[][] = [[]];
    for (;;) {
      const word = this.#words[this.#at];
      assert(word !== undefined || closing === null, "syntax with an open bracket");
      if (word === undefined) break;
      if (word === closing) {
        this.#at++;
        break;
      }
      if (word === "|" && closing !== null) {
        this.#at++;
        alternatives.push([]);
      } else {
        this.#piece(alternatives.at(-1)!);
      }
    }
    const sequences = alternatives.map(bindTokens);
    return sequences.length === 1 ? sequences[0]! : [oneOf(sequences.map(asOne))];
  }

  #piece(into: Piece[]): void {
    const start = this.#at;
    const word = this.#words[this.#at++]!;
    if (word === "|") {
      // Outside of brackets: of the two neighbours.
      const left = into.pop();
      assert(left !== undefined, "syntax with an alternative to nothing");
      this.#piece(into);
      const right = into.pop()!;
      into.push({ node: oneOf([left.node, right.node]), text: `${left.text} | ${right.text}`, isBareToken: false });
    } else if (word === "[") {
      const repeated = this.#repetition();
      if (repeated === null) this.#group(into, start, "]", true);
      else repeatLast(into, repeated);
    } else if (word === "<") {
      this.#group(into, start, ">", false);
    } else {
      assert(word !== "]" && word !== ">" && word !== "...", `syntax with a stray ${word}`);
      into.push({ node: this.#leaf(word), text: word, isBareToken: isToken(word) });
    }
  }

  #group(into: Piece[], start: number, closing: string, isOptional: boolean): void {
    const node = underToken(this.sequence(closing));
    const text = this.#words.slice(start, this.#at).join(" ");
    into.push({ node: { ...node, isOptional: isOptional || node.isOptional }, text, isBareToken: false });
  }

  /** The text that is repeated when the bracket just opened says so; it is consumed then. */
  #repetition(): string | null {
    let depth = 1;
    for (let i = this.#at; i < this.#words.length; i++) {
      const word = this.#words[i]!;
      if (word === "[" || word === "<") depth++;
      if (word === "]" || word === ">") depth--;
      if (depth > 0) continue;
      if (this.#words[i - 1] !== "...") return null;
      const text = this.#words.slice(this.#at, i - 1).join(" ");
      // `[a [a ...]]`: the dots are of the inner bracket.
      if (text.split(" ").includes("...")) return null;
      this.#at = i + 1;
      return text;
    }
    return null;
  }

  #leaf(word: string): ArgumentNode {
    if (isToken(word)) return { ...plain(TOKEN_NAMES[word] ?? word.toLowerCase(), "pure-token"), token: word };
    return plain(word, this.#types[word] ?? TYPES[word] ?? "string");
  }
}

function plain(name: string, type: ArgumentType, parts: readonly ArgumentNode[] = []): ArgumentNode {
  return { name, type, token: "", isOptional: false, isMultiple: false, repeatsToken: false, parts };
}

function isToken(word: string): boolean {
  return !/[a-z]/.test(word);
}

/** The last pieces whose words are `text` may be repeated. */
function repeatLast(into: Piece[], text: string): void {
  let from = into.length;
  let seen = "";
  while (from > 0 && seen.length < text.length) {
    from--;
    seen = seen === "" ? into[from]!.text : `${into[from]!.text} ${seen}`;
  }
  assert(seen === text, `syntax that repeats what is not there: ${text}`);
  const pieces = into.splice(from);
  const node = asOne(bindTokens(pieces));
  const repeatsToken = pieces[0]!.isBareToken && pieces.length > 1;
  into.push({ node: { ...node, isMultiple: true, repeatsToken }, text, isBareToken: false });
}

/** A token takes what stands behind it, up to the next token or to what may be left out. */
function bindTokens(pieces: readonly Piece[]): readonly ArgumentNode[] {
  const nodes: ArgumentNode[] = [];
  for (let i = 0; i < pieces.length; i++) {
    const { node, isBareToken } = pieces[i]!;
    const behind: ArgumentNode[] = [];
    while (isBareToken && i + 1 < pieces.length && !pieces[i + 1]!.isBareToken && !pieces[i + 1]!.node.isOptional) {
      behind.push(pieces[++i]!.node);
    }
    const [only] = behind;
    if (only === undefined) nodes.push(node);
    else if (behind.length === 1 && only.token === "") nodes.push({ ...only, token: node.token });
    else nodes.push({ ...plain(node.name, "block", behind), token: node.token });
  }
  return nodes;
}

function asOne(nodes: readonly ArgumentNode[]): ArgumentNode {
  const [only] = nodes;
  assert(only !== undefined, "syntax with empty brackets");
  return nodes.length === 1 ? only : plain(nodes.map((node) => node.name).join("-"), "block", nodes);
}

/** `[FULL [COUNT count]]`: a token in front of nothing but what may be left out is the block's. */
function underToken(nodes: readonly ArgumentNode[]): ArgumentNode {
  const [first, ...rest] = nodes;
  if (first === undefined || rest.length === 0 || first.type !== "pure-token") return asOne(nodes);
  if (!rest.every((node) => node.isOptional)) return asOne(nodes);
  return { ...plain(first.name, "block", rest), token: first.token };
}

function oneOf(alternatives: readonly ArgumentNode[]): ArgumentNode {
  return plain(alternatives.map((node) => node.name).join("-or-"), "oneof", alternatives);
}

const TOKEN_NAMES: Readonly<Record<string, string>> = {
  "=": "equal",
  "~": "approximately",
  "*": "auto-id",
  CH: "change",
  INCR: "increment",
  $: "new-id",
  "-": "minimum",
  "+": "maximum",
};

/** What is no string. A record names its exceptions. */
const TYPES: Readonly<Record<string, ArgumentType>> = {
  key: "key",
  newkey: "key",
  source: "key",
  destination: "key",
  pattern: "pattern",
  "unix-time-seconds": "unix-time",
  "unix-time-milliseconds": "unix-time",
  bits: "integer",
  bytes: "integer",
  "cluster-bus-port": "integer",
  "config-epoch": "integer",
  "end-slot": "integer",
  "start-slot": "integer",
  "client-id": "integer",
  count: "integer",
  cursor: "integer",
  db: "integer",
  "destination-db": "integer",
  "entries-added": "integer",
  "entries-read": "integer",
  frequency: "integer",
  index: "integer",
  index1: "integer",
  index2: "integer",
  max: "integer",
  maxage: "integer",
  maxcount: "integer",
  maxsize: "integer",
  milliseconds: "integer",
  ms: "integer",
  numids: "integer",
  numkeys: "integer",
  numlocal: "integer",
  numreplicas: "integer",
  port: "integer",
  protover: "integer",
  retrycount: "integer",
  samples: "integer",
  seconds: "integer",
  slot: "integer",
  timeout: "integer",
  ttl: "integer",
  version: "integer",
};
