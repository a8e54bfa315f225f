/**
 * A client of a Redis or of a gateway for the command line: RESP2, requests in a pipeline, replies as plain values. Bytes are latin1 strings, so that
 * keys and values come through as they are. Nothing is repeated here; a connection that broke fails every open call and is made anew for the next one.
 */
import { connect, type Socket } from "node:net";
import { ReplyReader } from "@headrace/resp";

/** An error reply. */
export class RedisError extends Error {
  override name: string = "RedisError";

  get code(): string {
    return this.message.split(" ", 1)[0]!;
  }
}

/** The server can't be reached, or the connection broke: nobody knows what became of open calls. */
export class ConnectionLost extends Error {
  override name: string = "ConnectionLost";
}

export type Reply = string | number | null | RedisError | readonly Reply[];

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly db: number;
}

const CONNECT_MS = 10_000;
/** Without a byte for so long while a reply is awaited. */
const SILENCE_MS = 60_000;

/** Or what is wrong with it. */
export function parseRedisUrl(text: string): RedisAddress | string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return `${text} is no URL: redis://[user:password@]host:port[/db] is expected`;
  }
  if (url.protocol === "rediss:") return "rediss:// (TLS) is not spoken: use a tunnel";
  if (url.protocol !== "redis:" || url.hostname === "") return `${text} is not redis://[user:password@]host:port[/db]`;
  const db = url.pathname.replace(/^\//, "");
  if (!/^\d{0,5}$/.test(db)) return `${text}: the database is a number`;
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? 6379 : Number(url.port),
    user: latin1Of(decodeURIComponent(url.username)),
    password: latin1Of(decodeURIComponent(url.password)),
    db: Number(db),
  };
}

/** What a person wrote, as the client has it. */
export function latin1Of(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Without the password. */
export function shownAddress({ host, port, db }: Pick<RedisAddress, "host" | "port" | "db">): string {
  return `redis://${host.includes(":") ? `[${host}]` : host}:${port}/${db}`;
}

interface OpenCall {
  readonly done: (reply: Reply) => void;
  readonly failed: (error: Error) => void;
}

export class RedisClient {
  readonly address: RedisAddress;
  #connection: Promise<Connection> | null = null;

  constructor(address: RedisAddress) {
    this.address = address;
  }

  /** The reply; error replies are thrown as RedisError. */
  async call(...args: readonly (string | number)[]): Promise<Reply> {
    const [reply] = await this.pipeline([args]);
    if (reply instanceof RedisError) throw reply;
    return reply!;
  }

  /** All in one write; error replies are among the replies. */
  async pipeline(requests: readonly (readonly (string | number)[])[]): Promise<readonly Reply[]> {
    this.#connection ??= this.#open();
    const opening = this.#connection;
    try {
      return await (await opening).send(requests);
    } catch (error) {
      if (this.#connection === opening) this.#connection = null;
      throw error;
    }
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null) return;
    try {
      (await connection).close();
    } catch (error) {
      // One that never came about is closed.
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }

  async #open(): Promise<Connection> {
    const connection = await Connection.open(this.address);
    const { user, password, db } = this.address;
    const greeting: string[][] = [];
    if (password !== "") greeting.push(user === "" ? ["AUTH", password] : ["AUTH", user, password]);
    if (db !== 0) greeting.push(["SELECT", String(db)]);
    if (greeting.length === 0) return connection;
    const refused = (await connection.send(greeting)).find((reply) => reply instanceof RedisError);
    if (refused === undefined) return connection;
    connection.close();
    throw refused;
  }
}

class Connection {
  readonly #socket: Socket;
  readonly #name: string;
  readonly #reader: ReplyReader = new ReplyReader();
  readonly #open: OpenCall[] = [];
  #failure: ConnectionLost | null = null;

  private constructor(socket: Socket, name: string) {
    this.#socket = socket;
    this.#name = name;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("error", (error) => this.#fail(error.message));
    socket.on("close", () => this.#fail("the connection was closed"));
    socket.on("timeout", () => {
      if (this.#open.length === 0) return;
      this.#fail(`no answer for ${SILENCE_MS / 1000} s`);
      socket.destroy();
    });
  }

  static open({ host, port, db }: RedisAddress): Promise<Connection> {
    const name = shownAddress({ host, port, db });
    return new Promise((done, failed) => {
      const socket = connect({ host, port, timeout: CONNECT_MS });
      const fail = (reason: string): void => {
        socket.destroy();
        failed(new ConnectionLost(`${name}: ${reason}`));
      };
      socket.once("error", (error) => fail(error.message));
      socket.once("timeout", () => fail("cannot be reached"));
      socket.once("connect", () => {
        socket.removeAllListeners();
        socket.setTimeout(SILENCE_MS);
        done(new Connection(socket, name));
      });
    });
  }

  send(requests: readonly (readonly (string | number)[])[]): Promise<readonly Reply[]> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const replies = requests.map(() => new Promise<Reply>((done, failed) => void this.#open.push({ done, failed })));
    this.#socket.write(Buffer.from(requests.map(encoded).join(""), "latin1"));
    return Promise.all(replies);
  }

  close(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#reader.feed(chunk);
    while (this.#reader.next()) {
      const { bytes, start, end } = this.#reader;
      const reply = new ReplyParser(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), start, end).value();
      this.#open.shift()?.done(reply);
    }
  }

  #fail(reason: string): void {
    this.#failure ??= new ConnectionLost(`${this.#name}: ${reason}`);
    for (const call of this.#open.splice(0)) call.failed(this.#failure);
  }
}

function encoded(args: readonly (string | number)[]): string {
  let text = `*${args.length}\r\n`;
  for (const arg of args) {
    const word = String(arg);
    text += `$${word.length}\r\n${word}\r\n`;
  }
  return text;
}

/** One whole reply of RESP2. */
class ReplyParser {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  value(): Reply {
    const kind = this.#bytes[this.#at]!;
    const lineEnd = this.#bytes.indexOf(13, this.#at);
    const line = this.#bytes.toString("latin1", this.#at + 1, lineEnd);
    this.#at = lineEnd + 2;
    switch (kind) {
      case 43: // +
        return line;
      case 45: // -
        return new RedisError(line);
      case 58: // :
        return Number(line);
      case 36: // $
        return line === "-1" ? null : this.#bulk(Number(line));
      case 42: // *
        return line === "-1" ? null : Array.from({ length: Number(line) }, () => this.value());
      default:
        throw new RedisError(`ERR a reply of type ${String(kind)} at ${this.#at} of ${this.#end}`);
    }
  }

  #bulk(length: number): string {
    const text = this.#bytes.toString("latin1", this.#at, this.#at + length);
    this.#at += length + 2;
    return text;
  }
}
