/**
 * Byte connections inside one process: gateway and nodes as one program. Behaves as TCP does towards its owners: chunks arrive in later
 * events, in order, with back-pressure; after `end` the other side ends, too, once its own queue has been delivered. No copies.
 *
 *   a.write ──► Pipe a→b ──► b.onData            two pipes make a connection
 */
import { assert } from "@headrace/bytes";
import type { ByteConnection, ByteConnectionEvents, ByteListener, ByteNetwork, CloseReason } from "@headrace/ports";

const HIGH_WATER_BYTES = 256 * 1024;

export function createLoopbackNetwork(): ByteNetwork {
  const listeners = new Map<string, (connection: ByteConnection) => void>();
  let dialled = 0;
  return {
    connect(address): ByteConnection {
      const from = `loopback:client-${++dialled}`;
      const near = new LoopbackConnection(from, address);
      const onConnection = listeners.get(address);
      if (onConnection === undefined) {
        near.refuse();
        return near;
      }
      const far = new LoopbackConnection(address, from);
      near.other = far;
      far.other = near;
      setImmediate(() => {
        // Gone before it was accepted, or the listener was closed meanwhile.
        if (listeners.get(address) === onConnection) onConnection(far);
        else far.destroy();
      });
      return near;
    },
    accept(address, onConnection, onListening): ByteListener {
      const isTaken = listeners.has(address);
      if (!isTaken) listeners.set(address, onConnection);
      let isClosed = false;
      setImmediate(() => {
        if (!isClosed) onListening(isTaken ? `cannot listen on ${address}: address already in use` : null);
      });
      return {
        close(done): void {
          isClosed = true;
          if (listeners.get(address) === onConnection) listeners.delete(address);
          setImmediate(done);
        },
      };
    },
  };
}

/** One end. Its queue holds what it has written and the other end has not taken yet. */
class LoopbackConnection implements ByteConnection {
  readonly remoteAddress: string;
  readonly localAddress: string;
  other: LoopbackConnection | null;
  #events: ByteConnectionEvents | null;
  #queue: Uint8Array[];
  #queuedBytes: number;
  #wantsDrain: boolean;
  #isPaused: boolean;
  #isDelivering: boolean;
  /** No more will be written; what is queued is still delivered. */
  #hasEnded: boolean;
  /** The other end's last byte has been taken. */
  #sawEnd: boolean;
  #closed: CloseReason | null;
  #isCloseTold: boolean;

  constructor(localAddress: string, remoteAddress: string) {
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.other = null;
    this.#events = null;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#wantsDrain = false;
    this.#isPaused = false;
    this.#isDelivering = false;
    this.#hasEnded = false;
    this.#sawEnd = false;
    this.#closed = null;
    this.#isCloseTold = false;
  }

  listen(events: ByteConnectionEvents): void {
    assert(this.#events === null, "connection: listened to twice");
    this.#events = events;
    if (this.#closed !== null) this.#tellClose();
    else this.other?.scheduleDelivery();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#hasEnded || this.#closed !== null) return false;
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    this.scheduleDelivery();
    if (this.#queuedBytes < HIGH_WATER_BYTES) return true;
    this.#wantsDrain = true;
    return false;
  }

  bufferedBytes(): number {
    return this.#queuedBytes;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.other?.scheduleDelivery();
  }

  end(): void {
    this.#endWith("local");
  }

  destroy(): void {
    if (this.#closed !== null) return;
    const other = this.other;
    this.close("local");
    setImmediate(() => other?.close("reset"));
  }

  refuse(): void {
    this.close("refused");
  }

  close(reason: CloseReason): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#tellClose();
  }

  /** The queue goes to the other end in an event of its own, unless that end is paused or not listened to yet. */
  scheduleDelivery(): void {
    if (this.#isDelivering || (this.#queue.length === 0 && !this.#hasEnded)) return;
    this.#isDelivering = true;
    setImmediate(() => {
      this.#isDelivering = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const other = this.other;
    if (other === null || other.#events === null || this.#closed !== null) return;
    const taken = this.#queue;
    this.#queue = [];
    for (let i = 0; i < taken.length; i++) {
      if (other.#isPaused || other.#closed !== null) {
        // Put back in front of what was written meanwhile.
        this.#queue = taken.slice(i).concat(this.#queue);
        return;
      }
      this.#queuedBytes -= taken[i]!.length;
      other.#events.onData(taken[i]!);
      if (this.#closed !== null) return;
    }
    if (this.#queue.length > 0) return this.scheduleDelivery();
    if (this.#wantsDrain) {
      this.#wantsDrain = false;
      this.#events?.onDrain();
    }
    if (this.#hasEnded && this.#queue.length === 0 && !other.#isPaused) other.#receivedEnd();
  }

  #receivedEnd(): void {
    if (this.#sawEnd || this.#closed !== null) return;
    this.#sawEnd = true;
    this.#endWith("ended");
    // Both directions are done when the other side has seen our end, too.
    const other = this.other!;
    if (!other.#sawEnd) return;
    this.close(this.#endReason);
    other.close(other.#endReason);
  }

  #endReason: CloseReason = "ended";

  #endWith(reason: CloseReason): void {
    if (this.#hasEnded || this.#closed !== null) return;
    this.#hasEnded = true;
    this.#endReason = reason;
    this.scheduleDelivery();
  }

  #tellClose(): void {
    const events = this.#events;
    if (events === null || this.#isCloseTold) return;
    this.#isCloseTold = true;
    setImmediate(() => events.onClose(this.#closed!));
  }
}
