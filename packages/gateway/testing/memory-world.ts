/** A world of one thread and virtual time: scheduler, clock and byte connections in memory. Deterministic; nothing happens until `run`. */
import type {
  ByteConnection,
  ByteConnectionEvents,
  ByteNetwork,
  CloseReason,
  Clock,
  Digest,
  GatewayWorld,
  Logger,
  MetaClient,
  MetaRequest,
  MetaResponse,
  Random,
  Scheduler,
} from "@headrace/ports";

interface Task {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class MemoryConnection implements ByteConnection {
  readonly remoteAddress: string;
  readonly localAddress: string;
  peer: MemoryConnection | null = null;
  isOpen: boolean = true;
  isPaused: boolean = false;
  readonly #world: MemoryWorld;
  #events: ByteConnectionEvents | null = null;
  #arrived: Uint8Array[] = [];
  /** Written by the other side, not yet taken by this one's owner. */
  #undeliveredBytes: number = 0;
  #closeReason: CloseReason | null = null;

  constructor(world: MemoryWorld, localAddress: string, remoteAddress: string) {
    this.#world = world;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
  }

  listen(events: ByteConnectionEvents): void {
    this.#events = events;
  }

  write(chunk: Uint8Array): boolean {
    const peer = this.peer;
    if (!this.isOpen || peer === null) return false;
    peer.#undeliveredBytes += chunk.length;
    this.#world.schedule(0, () => peer.#arrive(chunk));
    return this.bufferedBytes() === 0;
  }

  /** What the other side holds back by pausing. */
  bufferedBytes(): number {
    return this.peer === null ? 0 : this.peer.#undeliveredBytes;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#world.schedule(0, () => this.#deliver());
  }

  end(): void {
    const peer = this.peer;
    this.#world.schedule(0, () => {
      this.#close("local");
      if (peer !== null) peer.#close("ended");
    });
  }

  destroy(): void {
    const peer = this.peer;
    this.isOpen = false;
    this.#world.schedule(0, () => {
      this.#close("local");
      if (peer !== null) peer.#close("reset");
    });
  }

  refuse(): void {
    this.#close("refused");
  }

  #arrive(chunk: Uint8Array): void {
    if (this.#closeReason !== null) return;
    this.#arrived.push(chunk);
    this.#deliver();
  }

  #deliver(): void {
    if (this.isPaused || this.#arrived.length === 0) return;
    const chunk = this.#arrived.shift()!;
    this.#undeliveredBytes -= chunk.length;
    this.#events?.onData(chunk);
    if (this.#arrived.length > 0) this.#world.schedule(0, () => this.#deliver());
    else if (this.peer !== null) this.peer.#events?.onDrain();
  }

  #close(reason: CloseReason): void {
    if (this.#closeReason !== null) return;
    this.#closeReason = reason;
    this.isOpen = false;
    this.#events?.onClose(reason);
  }
}

export class MemoryWorld implements GatewayWorld {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly digest: Digest;
  readonly network: ByteNetwork;
  readonly metaClient: MetaClient;
  readonly logger: Logger;
  nowMs: number = 1000;
  /** Set to answer questions to the metadata group. */
  onAsk: (request: MetaRequest) => MetaResponse = () => ({ ok: true, body: {} });
  #publish: ((state: Record<string, unknown>) => void) | null = null;
  #tasks: Task[] = [];
  #order: number = 0;
  #connections: number = 0;
  #seed: number = 1;
  readonly #listeners: Map<string, (connection: ByteConnection) => void> = new Map();

  constructor() {
    this.clock = { wallMs: () => 1_700_000_000_000 + this.nowMs, monotonicMs: () => this.nowMs };
    this.scheduler = {
      soon: (task) => void this.schedule(0, task),
      after: (delayMs, run) => {
        const task = this.schedule(delayMs, run);
        return { cancel: () => void (task.cancelled = true) };
      },
    };
    const u32 = (): number => (this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0);
    this.random = { u32, below: (n) => u32() % n };
    this.digest = { hmacSha256: (_key, data) => data.slice(0, 32) };
    this.network = {
      connect: (address) => this.connect(address),
      accept: (address, onConnection, onListening) => {
        this.#listeners.set(address, onConnection);
        this.schedule(0, () => onListening(null));
        return { close: (done) => void (this.#listeners.delete(address), this.schedule(0, done)) };
      },
    };
    this.metaClient = {
      ask: (_address, request, _timeoutMs, done) =>
        void this.schedule(0, () => done({ ok: true, value: this.onAsk(request) })),
      watch: (_addresses, onState) => {
        this.#publish = onState;
        return { close: () => void (this.#publish = null) };
      },
      close: () => {},
    };
    const silent = (): void => {};
    this.logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => this.logger };
  }

  /** The metadata group has a new state. */
  publish(state: Record<string, unknown>): void {
    this.schedule(0, () => this.#publish?.(state));
  }

  connect(address: string): MemoryConnection {
    const own = `127.0.0.1:${50_000 + this.#connections++}`;
    const near = new MemoryConnection(this, own, address);
    const far = new MemoryConnection(this, address, own);
    const accept = this.#listeners.get(address);
    if (accept === undefined) {
      this.schedule(0, () => near.refuse());
      return near;
    }
    near.peer = far;
    far.peer = near;
    this.schedule(0, () => accept(far));
    return near;
  }

  schedule(delayMs: number, run: () => void): Task {
    const task = { atMs: this.nowMs + delayMs, order: this.#order++, run, cancelled: false };
    this.#tasks.push(task);
    return task;
  }

  /** Runs everything that is due within the next `ms` of virtual time. */
  run(ms: number = 0): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      let first: Task | null = null;
      for (const task of this.#tasks) {
        if (task.cancelled || task.atMs > endMs) continue;
        if (first === null || task.atMs < first.atMs || (task.atMs === first.atMs && task.order < first.order)) {
          first = task;
        }
      }
      this.#tasks = this.#tasks.filter((task) => task !== first && !task.cancelled);
      if (first === null) break;
      this.nowMs = Math.max(this.nowMs, first.atMs);
      first.run();
    }
    this.nowMs = endMs;
  }
}
