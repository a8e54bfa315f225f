/**
 * The data port serves two protocols: links of gateways, which open with the magic "HRLK", and clients speaking RESP. This looks at the
 * first bytes and then passes the connection on as if they had not been read. `HELLO` as an inline command begins with an H too, so the
 * decision may take four bytes.
 *
 * Must not know: what either protocol says after that.
 */
import { assert, concatBytes } from "@headrace/bytes";
import { LINK_MAGIC } from "@headrace/link";
import type { ByteConnection, ByteConnectionEvents, CloseReason, Scheduler } from "@headrace/ports";

export type Protocol = "link" | "resp";

/** A connection whose first bytes are known. Whoever it is passed to calls `listen` and gets everything from the first byte on. */
export class SniffedConnection implements ByteConnection, ByteConnectionEvents {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly #inner: ByteConnection;
  readonly #scheduler: Scheduler;
  #onProtocol: (protocol: Protocol) => void;
  /** Bytes read and not yet passed on. Not null until the owner has got them. */
  #held: Uint8Array | null;
  #decided: boolean;
  #owner: ByteConnectionEvents | null;
  #ownerPaused: boolean;
  #closed: CloseReason | null;

  constructor(inner: ByteConnection, scheduler: Scheduler) {
    this.remoteAddress = inner.remoteAddress;
    this.localAddress = inner.localAddress;
    this.#inner = inner;
    this.#scheduler = scheduler;
    this.#onProtocol = () => undefined;
    this.#held = new Uint8Array(0);
    this.#decided = false;
    this.#owner = null;
    this.#ownerPaused = false;
    this.#closed = null;
  }

  /** Starts reading. `onProtocol` is called once, unless the connection ends before it has said what it is. */
  decide(onProtocol: (protocol: Protocol) => void): void {
    this.#onProtocol = onProtocol;
    this.#inner.listen(this);
  }

  // ── what the owner calls ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  listen(events: ByteConnectionEvents): void {
    assert(this.#decided && this.#owner === null, "a sniffed connection has one owner");
    this.#owner = events;
    this.#scheduler.soon(() => this.#release());
  }

  write(chunk: Uint8Array): boolean {
    return this.#inner.write(chunk);
  }

  bufferedBytes(): number {
    return this.#inner.bufferedBytes();
  }

  pause(): void {
    this.#ownerPaused = true;
    this.#inner.pause();
  }

  resume(): void {
    this.#ownerPaused = false;
    if (this.#held === null) this.#inner.resume();
    else this.#scheduler.soon(() => this.#release());
  }

  end(): void {
    this.#inner.end();
  }

  destroy(): void {
    this.#inner.destroy();
  }

  // ── what the connection below calls ───────────────────────────────────────────────────────────────────────────────────────────────

  onData(chunk: Uint8Array): void {
    if (this.#held === null) {
      this.#owner!.onData(chunk);
      return;
    }
    this.#held = this.#held.length === 0 ? chunk : concatBytes([this.#held, chunk]);
    if (this.#decided) return;
    const protocol = protocolOf(this.#held);
    if (protocol === null) return;
    this.#decided = true;
    this.#inner.pause();
    this.#onProtocol(protocol);
  }

  onDrain(): void {
    this.#owner?.onDrain();
  }

  onClose(reason: CloseReason): void {
    this.#closed = reason;
    // Bytes that came before the end are delivered before it, see #release.
    if (this.#owner !== null && this.#held === null) this.#owner.onClose(reason);
  }

  #release(): void {
    const held = this.#held;
    if (held === null || (this.#ownerPaused && this.#closed === null)) return;
    this.#held = null;
    this.#owner!.onData(held);
    if (this.#closed !== null) this.#owner!.onClose(this.#closed);
    else if (!this.#ownerPaused) this.#inner.resume();
  }
}

/** null: the bytes so far are a beginning of the magic and nothing else. */
function protocolOf(bytes: Uint8Array): Protocol | null {
  const known = Math.min(bytes.length, LINK_MAGIC.length);
  for (let i = 0; i < known; i++) {
    if (bytes[i] !== LINK_MAGIC[i]) return "resp";
  }
  return known === LINK_MAGIC.length ? "link" : null;
}
