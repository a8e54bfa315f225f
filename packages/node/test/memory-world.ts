/**
 * A small world for tests of nodes: virtual time, disks that outlive processes, a network between processes. Everything is in one thread
 * and repeats exactly from a seed. A process that dies loses what its disks had not completed; nothing else goes wrong by itself.
 */
import { compareBytes, concatBytes, copyOf, withRest } from "@headrace/bytes";
import type {
  BackupReader,
  ByteConnection,
  ByteConnectionEvents,
  ByteListener,
  ByteNetwork,
  Clock,
  CloseReason,
  Digest,
  Done,
  KvChange,
  KvRow,
  KvSnapshot,
  KvStore,
  Logger,
  MetaRequest,
  MetaResponse,
  PeerChannel,
  PeerNetwork,
  PeerNetworkEvents,
  Random,
  RecordStore,
  Result,
  Scheduler,
  SegmentDisk,
  SegmentInfo,
  SpaceProbe,
} from "@headrace/ports";
import { Life, type VirtualTime } from "./virtual-time.ts";

export class TestRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return (z ^ (z >>> 14)) >>> 0;
  }

  below(n: number): number {
    return Math.floor((this.u32() / 2 ** 32) * n);
  }
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};

/** No cryptography: two sides with one key agree, and that is what is tested here. */
export const testDigest: Digest = {
  hmacSha256: (key, data) => {
    const out = new Uint8Array(32);
    concatBytes([key, data]).forEach((byte, i) => {
      out[i % 32] = (out[i % 32]! * 31 + byte) & 255;
    });
    return out;
  },
};

/** What outlives a process. */
export class MemoryDisks {
  freeBytes = 1e12;
  /** The store finds no space for anything. */
  isStoreFull = false;
  readonly records: Map<string, Uint8Array> = new Map();
  readonly segments: Map<number, Uint8Array> = new Map();
  rows: KvRow[] = [];
}

export class MemoryRecordStore implements RecordStore {
  readonly #time: VirtualTime;
  readonly #life: Life;
  readonly #disks: MemoryDisks;

  constructor(time: VirtualTime, life: Life, disks: MemoryDisks) {
    this.#time = time;
    this.#life = life;
    this.#disks = disks;
  }

  read(name: string, done: Done<Uint8Array | null>): void {
    this.#time.after(0.1, this.#life, () => done({ ok: true, value: copyIfAny(this.#disks.records.get(name)) }));
  }

  /** On the disk some time before the caller hears of it: a crash may fall in between. */
  write(name: string, content: Uint8Array, done: Done<void>): void {
    const own = copyOf(content);
    this.#time.after(0.1, this.#life, () => {
      this.#disks.records.set(name, own);
      this.#time.after(0.1, this.#life, () => done({ ok: true, value: undefined }));
    });
  }
}

export class MemorySegmentDisk implements SegmentDisk {
  readonly #time: VirtualTime;
  readonly #life: Life;
  readonly #segments: Map<number, Uint8Array>;

  constructor(time: VirtualTime, life: Life, disks: MemoryDisks) {
    this.#time = time;
    this.#life = life;
    this.#segments = disks.segments;
  }

  list(done: Done<readonly SegmentInfo[]>): void {
    const infos = [...this.#segments].map(([sequence, bytes]) => ({ sequence, sizeBytes: bytes.length }));
    infos.sort((a, b) => a.sequence - b.sequence);
    this.#later(done, infos);
  }

  create(sequence: number, sizeBytes: number, done: Done<void>): void {
    this.#segments.set(sequence, new Uint8Array(sizeBytes));
    this.#later(done, undefined);
  }

  read(sequence: number, offsetBytes: number, lengthBytes: number, done: Done<Uint8Array>): void {
    const bytes = this.#segments.get(sequence)!;
    this.#later(done, bytes.slice(offsetBytes, offsetBytes + lengthBytes));
  }

  write(
    sequence: number,
    offsetBytes: number,
    chunks: readonly Uint8Array[],
    _durable: boolean,
    done: Done<void>,
  ): void {
    this.#time.after(0.2, this.#life, () => {
      this.#segments.get(sequence)!.set(concatBytes(chunks), offsetBytes);
      done({ ok: true, value: undefined });
    });
  }

  sync(_sequence: number, done: Done<void>): void {
    this.#later(done, undefined);
  }

  remove(sequence: number, done: Done<void>): void {
    this.#segments.delete(sequence);
    this.#later(done, undefined);
  }

  close(done: Done<void>): void {
    this.#later(done, undefined);
  }

  #later<T>(done: Done<T>, value: T): void {
    this.#time.after(0.1, this.#life, () => done({ ok: true, value }));
  }
}

export class MemoryKvStore implements KvStore {
  readonly #time: VirtualTime;
  readonly #life: Life;
  readonly #disks: MemoryDisks;
  readonly #snapshots: Map<number, readonly KvRow[]> = new Map();
  #lastSnapshot = 0;

  constructor(time: VirtualTime, life: Life, disks: MemoryDisks) {
    this.#time = time;
    this.#life = life;
    this.#disks = disks;
  }

  write(changes: readonly KvChange[], done: Done<void>): void {
    const own = changes.map(({ key, value, rest }) => ({
      key: copyOf(key),
      value: value === null ? null : copyOf(withRest(value, rest)),
    }));
    this.#time.after(0.3, this.#life, () => {
      if (this.#disks.isStoreFull) return done({ ok: false, reason: "space", message: "no space left" });
      let rows = this.#disks.rows;
      for (const { key, value } of own) {
        rows = rows.filter((row) => compareBytes(row.key, key) !== 0);
        if (value !== null) rows = [...rows, { key, value }];
      }
      this.#disks.rows = rows.sort((a, b) => compareBytes(a.key, b.key));
      this.#time.after(0.1, this.#life, () => done({ ok: true, value: undefined }));
    });
  }

  get(key: Uint8Array, snapshot: KvSnapshot | null, done: Done<Uint8Array | null>): void {
    const found = this.#rows(snapshot).find((row) => compareBytes(row.key, key) === 0);
    this.#later(done, copyIfAny(found?.value));
  }

  getNow(key: Uint8Array): Result<Uint8Array | null> {
    const found = this.#rows(null).find((row) => compareBytes(row.key, key) === 0);
    return { ok: true, value: copyIfAny(found?.value) };
  }

  scan(
    from: Uint8Array,
    to: Uint8Array,
    limitRows: number,
    _limitBytes: number,
    snapshot: KvSnapshot | null,
    done: Done<readonly KvRow[]>,
  ): void {
    const rows = this.#rows(snapshot).filter(
      (row) => compareBytes(row.key, from) >= 0 && compareBytes(row.key, to) < 0,
    );
    const copies = rows.slice(0, limitRows).map(({ key, value }) => ({ key: copyOf(key), value: copyOf(value) }));
    this.#later(done, copies);
  }

  keys(from: Uint8Array, to: Uint8Array, limitRows: number, done: Done<readonly Uint8Array[]>): void {
    this.scan(from, to, limitRows, Infinity, null, (rows) => {
      done(rows.ok ? { ok: true, value: rows.value.map(({ key }) => key) } : rows);
    });
  }

  snapshot(): KvSnapshot {
    const id = ++this.#lastSnapshot;
    this.#snapshots.set(id, this.#disks.rows);
    return { id };
  }

  giveBack(value: Uint8Array): void {
    value.fill(0xdd);
  }

  release(snapshot: KvSnapshot): void {
    this.#snapshots.delete(snapshot.id);
  }

  close(done: Done<void>): void {
    this.#later(done, undefined);
  }

  #rows(snapshot: KvSnapshot | null): readonly KvRow[] {
    return snapshot === null ? this.#disks.rows : this.#snapshots.get(snapshot.id)!;
  }

  #later<T>(done: Done<T>, value: T): void {
    this.#time.after(0.1, this.#life, () => done({ ok: true, value }));
  }
}

/** All processes' doors to each other. */
export class MemoryNetwork {
  readonly time: VirtualTime;
  readonly peers: Map<string, MemoryPeerNetwork> = new Map();
  readonly listeners: Map<
    string,
    { readonly life: Life; readonly onConnection: (connection: ByteConnection) => void }
  > = new Map();
  /** Addresses that nobody can reach. */
  readonly unreachable: Set<string> = new Set();
  readonly #ends: Set<MemoryConnection> = new Set();

  constructor(time: VirtualTime) {
    this.time = time;
  }

  /** A pair of connected ends. */
  pair(near: Life, far: Life): [MemoryConnection, MemoryConnection] {
    const a = new MemoryConnection(this.time, near, "near:1", "far:1");
    const b = new MemoryConnection(this.time, far, "far:1", "near:1");
    a.other = b;
    b.other = a;
    this.#ends.add(a);
    this.#ends.add(b);
    return [a, b];
  }

  /** What the operating system does when a process dies. */
  died(life: Life): void {
    life.alive = false;
    for (const [address, peer] of this.peers) {
      if (peer.life === life) this.peers.delete(address);
    }
    for (const [address, listener] of this.listeners) {
      if (listener.life === life) this.listeners.delete(address);
    }
    for (const peer of this.peers.values()) peer.othersDied(life);
    for (const end of this.#ends) {
      if (end.life === life) end.other?.closed("reset");
    }
  }
}

const DELAY_MS = 0.3;

export class MemoryPeerNetwork implements PeerNetwork {
  readonly life: Life;
  readonly #network: MemoryNetwork;
  readonly #address: string;
  #events: PeerNetworkEvents | null = null;
  #identity: { clusterId: string; nodeId: number; incarnation: number } | null = null;
  #peers: readonly { readonly nodeId: number; readonly address: string }[] = [];
  readonly #up: Map<number, MemoryPeerNetwork> = new Map();
  published: { readonly version: number; readonly state: Record<string, unknown> } | null = null;

  constructor(network: MemoryNetwork, life: Life, address: string) {
    this.#network = network;
    this.life = life;
    this.#address = address;
  }

  start(events: PeerNetworkEvents, done: Done<void>): void {
    this.#events = events;
    this.#network.peers.set(this.#address, this);
    this.#network.time.after(0, this.life, () => done({ ok: true, value: undefined }));
    this.#dial();
  }

  identify(identity: { clusterId: string; nodeId: number; incarnation: number }): void {
    this.#identity = identity;
  }

  setPeers(peers: readonly { readonly nodeId: number; readonly address: string }[]): void {
    this.#peers = peers;
  }

  send(toNodeId: number, channel: PeerChannel, chunks: readonly Uint8Array[]): boolean {
    const peer = this.#up.get(toNodeId);
    if (peer === undefined || this.#identity === null) return false;
    const frame = concatBytes(chunks).slice();
    const from = this.#identity.nodeId;
    this.#network.time.after(DELAY_MS, peer.life, () => peer.#events?.onFrame(from, channel, frame));
    return true;
  }

  askMeta(address: string, request: MetaRequest, timeoutMs: number, done: Done<MetaResponse>): void {
    const { time } = this.#network;
    let open = true;
    const finish = (result: Result<MetaResponse>): void => {
      if (!open) return;
      open = false;
      done(result);
    };
    time.after(timeoutMs, this.life, () => finish({ ok: false, reason: "io", message: "no answer" }));
    const wire = JSON.stringify(request);
    time.after(DELAY_MS, null, () => {
      const peer = this.#network.unreachable.has(address) ? undefined : this.#network.peers.get(address);
      if (peer === undefined) {
        time.after(DELAY_MS, this.life, () => finish({ ok: false, reason: "missing", message: "refused" }));
        return;
      }
      peer.#events?.onMetaRequest(JSON.parse(wire) as MetaRequest, (response) => {
        const back = JSON.stringify(response);
        time.after(DELAY_MS, this.life, () => finish({ ok: true, value: JSON.parse(back) as MetaResponse }));
      });
    });
  }

  publishState(version: number, state: Record<string, unknown>): void {
    if (this.published === null || version > this.published.version) this.published = { version, state };
  }

  close(done: Done<void>): void {
    if (this.#network.peers.get(this.#address) === this) this.#network.peers.delete(this.#address);
    for (const peer of this.#network.peers.values()) peer.othersDied(this.life);
    this.#network.time.after(0, this.life, () => done({ ok: true, value: undefined }));
  }

  othersDied(life: Life): void {
    for (const [nodeId, peer] of this.#up) {
      if (peer.life !== life) continue;
      this.#up.delete(nodeId);
      this.#network.time.after(DELAY_MS, this.life, () => this.#events?.onPeerDown(nodeId, "reset"));
    }
  }

  #dial(): void {
    this.#network.time.after(20, this.life, () => {
      this.#dial();
      if (this.#identity === null) return;
      for (const { nodeId, address } of this.#peers) {
        const peer = this.#network.unreachable.has(address) ? undefined : this.#network.peers.get(address);
        if (peer === undefined || this.#up.get(nodeId) === peer) continue;
        if (peer.#identity?.nodeId !== nodeId || peer.#identity.clusterId !== this.#identity.clusterId) continue;
        this.#up.set(nodeId, peer);
        this.#events?.onPeerUp(nodeId, peer.#identity.incarnation);
      }
    });
  }
}

export class MemoryConnection implements ByteConnection {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly life: Life;
  other: MemoryConnection | null = null;
  /** While true nothing written leaves: a receiver that does not read. */
  stuck = false;
  paused = false;
  writes = 0;
  readonly #time: VirtualTime;
  #events: ByteConnectionEvents | null = null;
  #inbox: Uint8Array[] = [];
  #stuckChunks: Uint8Array[] = [];
  #closed: CloseReason | null = null;
  #told = false;

  constructor(time: VirtualTime, life: Life, localAddress: string, remoteAddress: string) {
    this.#time = time;
    this.life = life;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
  }

  get isClosed(): boolean {
    return this.#closed !== null;
  }

  listen(events: ByteConnectionEvents): void {
    this.#events = events;
    this.#time.after(0, this.life, () => this.#drain());
  }

  write(chunk: Uint8Array): boolean {
    this.writes++;
    if (this.stuck) this.#stuckChunks.push(chunk);
    else this.#send(chunk);
    return !this.stuck;
  }

  bufferedBytes(): number {
    return this.#stuckChunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  unstick(): void {
    this.stuck = false;
    for (const chunk of this.#stuckChunks.splice(0)) this.#send(chunk);
    this.#time.after(0, this.life, () => this.#events?.onDrain());
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#time.after(0, this.life, () => this.#drain());
  }

  end(): void {
    this.#time.after(DELAY_MS, this.other?.life ?? null, () => this.other?.closed("ended"));
    this.closed("local");
  }

  destroy(): void {
    this.#time.after(DELAY_MS, this.other?.life ?? null, () => this.other?.closed("reset"));
    this.closed("local");
  }

  closed(reason: CloseReason): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    this.#time.after(0, this.life, () => this.#drain());
  }

  #send(chunk: Uint8Array): void {
    const other = this.other!;
    this.#time.after(DELAY_MS, other.life, () => {
      other.#inbox.push(chunk);
      other.#drain();
    });
  }

  #drain(): void {
    if (this.#events === null) return;
    while (this.#inbox.length > 0 && !this.paused) this.#events.onData(this.#inbox.shift()!);
    if (this.#closed === null || this.#told || this.#inbox.length > 0) return;
    this.#told = true;
    this.#events.onClose(this.#closed);
  }
}

export class MemoryByteNetwork implements ByteNetwork {
  readonly #network: MemoryNetwork;
  readonly #life: Life;

  constructor(network: MemoryNetwork, life: Life) {
    this.#network = network;
    this.#life = life;
  }

  connect(address: string): ByteConnection {
    const listener = this.#network.listeners.get(address)!;
    const [near, far] = this.#network.pair(this.#life, listener.life);
    this.#network.time.after(DELAY_MS, listener.life, () => listener.onConnection(far));
    return near;
  }

  accept(
    address: string,
    onConnection: (connection: ByteConnection) => void,
    onListening: (failure: string | null) => void,
  ): ByteListener {
    const taken = this.#network.listeners.has(address);
    if (!taken) this.#network.listeners.set(address, { life: this.#life, onConnection });
    this.#network.time.after(0, this.#life, () => onListening(taken ? `${address} is already in use` : null));
    return {
      close: (done) => {
        this.#network.listeners.delete(address);
        this.#network.time.after(0, this.#life, done);
      },
    };
  }
}

/** One process: its life, its clock, its disks. */
export class MemoryProcess {
  readonly life: Life;
  readonly clock: Clock;
  /** How wrong its wall clock is. */
  skewMs = 0;
  readonly scheduler: Scheduler;
  readonly random: TestRandom;
  readonly digest: Digest = testDigest;
  readonly logger: Logger = silentLogger;
  readonly recordStore: MemoryRecordStore;
  readonly spaceProbe: SpaceProbe;
  readonly segmentDisk: MemorySegmentDisk;
  readonly kvStore: MemoryKvStore;
  readonly peerNetwork: MemoryPeerNetwork;
  readonly network: MemoryByteNetwork;
  /** To found from. */
  backup?: BackupReader;

  constructor(network: MemoryNetwork, name: string, peerAddress: string, disks: MemoryDisks, seed: number) {
    const { time } = network;
    const life = new Life(name);
    this.life = life;
    this.clock = {
      wallMs: () => 1_700_000_000_000 + Math.floor(time.nowMs) + this.skewMs,
      monotonicMs: () => time.nowMs,
    };
    this.scheduler = {
      soon: (task) => void time.after(0, life, task),
      after: (delayMs, task) => time.after(delayMs, life, task),
    };
    this.random = new TestRandom(seed);
    this.recordStore = new MemoryRecordStore(time, life, disks);
    this.spaceProbe = {
      freeBytes: (done) => void time.after(0.1, life, () => done({ ok: true, value: disks.freeBytes })),
    };
    this.segmentDisk = new MemorySegmentDisk(time, life, disks);
    this.kvStore = new MemoryKvStore(time, life, disks);
    this.peerNetwork = new MemoryPeerNetwork(network, life, peerAddress);
    this.network = new MemoryByteNetwork(network, life);
  }
}

/** `Buffer.slice` is a view: whoever writes into what he got must not write into the store. */
function copyIfAny(bytes: Uint8Array | undefined): Uint8Array | null {
  return bytes === undefined ? null : copyOf(bytes);
}
