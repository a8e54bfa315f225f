/** Why a connection ended, for logs and metrics. */
export type CloseReason = "ended" | "reset" | "refused" | "local";

/** What the owner of a connection hears. Each is its own event; none is called inside a call of the owner. */
export interface ByteConnectionEvents {
  /** A chunk that arrived. The memory belongs to the receiver and is never written again. */
  onData(chunk: Uint8Array): void;
  /** `bufferedBytes` has fallen to zero after `write` had returned false. */
  onDrain(): void;
  /** The connection is gone; nothing follows. Called exactly once, also after `destroy`. */
  onClose(reason: CloseReason): void;
}

/**
 * A duplex, ordered stream of bytes: a client's socket or the link between a gateway and a node, over TCP, in process, or simulated.
 */
export interface ByteConnection {
  /** Where the other side is, for CLIENT LIST and logs: `host:port`. */
  readonly remoteAddress: string;
  /** This side's `host:port`. */
  readonly localAddress: string;
  /** Set once, before anything is delivered. */
  listen(events: ByteConnectionEvents): void;
  /** Queues the chunk without copying it; it must not change afterwards. False: stop until `onDrain`. */
  write(chunk: Uint8Array): boolean;
  /** Bytes queued and not yet taken by the operating system. */
  bufferedBytes(): number;
  /** Holds back and releases reading: the way to push back on the sender. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once; what is queued is lost. */
  destroy(): void;
}

/** Accepts connections. `onConnection` is called in an event of its own. */
export interface ByteListener {
  close(done: () => void): void;
}

/** Opens and accepts byte connections. Addresses are `host:port`. */
export interface ByteNetwork {
  connect(address: string): ByteConnection;
  accept(
    address: string,
    onConnection: (connection: ByteConnection) => void,
    onListening: (failure: string | null) => void,
  ): ByteListener;
}
