/** The simulated PeerNetwork and MetaClient: frames between nodes and questions by address, over the same faulty network. */
import type { Done, MetaClient, MetaRequest, MetaResponse, PeerNetwork, PeerNetworkEvents } from "@headrace/ports";
import { PeerChannel } from "@headrace/ports";
import type { Life } from "./event-loop.ts";
import type { SimNetwork } from "./sim-network.ts";

/** Who answers on which peer address. */
export class PeerDirectory {
  readonly byAddress: Map<string, SimPeerNetwork> = new Map();
}

interface Watcher {
  readonly life: Life;
  readonly onState: (state: Record<string, unknown>) => void;
}

/** How long a silent path takes to be noticed as down. */
const SILENCE_MS = 3000;
const RECONNECT_MS = 60;

export class SimPeerNetwork implements PeerNetwork {
  readonly life: Life;
  readonly address: string;
  readonly #network: SimNetwork;
  readonly #directory: PeerDirectory;
  #events: PeerNetworkEvents | null = null;
  #identity: { clusterId: string; nodeId: number; incarnation: number } | null = null;
  #peers: readonly { readonly nodeId: number; readonly address: string }[] = [];
  readonly #up: Map<number, SimPeerNetwork> = new Map();
  #published: { readonly version: number; readonly state: Record<string, unknown> } | null = null;
  readonly #watchers: Set<Watcher> = new Set();

  constructor(network: SimNetwork, directory: PeerDirectory, life: Life, address: string) {
    this.#network = network;
    this.#directory = directory;
    this.life = life;
    this.address = address;
  }

  start(events: PeerNetworkEvents, done: Done<void>): void {
    this.#events = events;
    this.#directory.byAddress.set(this.address, this);
    this.#network.loop.after(0, "soon", this.life, "peers started", () => done({ ok: true, value: undefined }));
    this.#keepConnected();
  }

  identify(identity: { clusterId: string; nodeId: number; incarnation: number }): void {
    this.#identity = identity;
  }

  setPeers(peers: readonly { readonly nodeId: number; readonly address: string }[]): void {
    this.#peers = peers.slice();
  }

  send(toNodeId: number, channel: PeerChannel, chunks: readonly Uint8Array[]): boolean {
    const peer = this.#up.get(toNodeId);
    if (peer === undefined) return false;
    const { faults, random, loop } = this.#network;
    const from = this.#identity!.nodeId;
    const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const frame = new Uint8Array(total);
    let at = 0;
    for (const chunk of chunks) {
      frame.set(chunk, at);
      at += chunk.length;
    }
    const copies = random.below(1000) < faults.lossPerMille ? 0 : random.below(1000) < faults.duplicatePerMille ? 2 : 1;
    if (copies === 0) loop.count("frame lost");
    if (copies === 2) loop.count("frame doubled");
    if (channel === PeerChannel.snapshot && total > 0 && random.below(1000) < faults.snapshotFlipPerMille) {
      const bit = random.below(total * 8);
      frame[bit >> 3] = frame[bit >> 3]! ^ (1 << (bit & 7));
      loop.count("snapshot frame altered");
    }
    for (let i = 0; i < copies; i++) {
      const late = faults.reorderMaxMs === 0 ? 0 : random.below(Math.ceil(faults.reorderMaxMs));
      loop.after(this.#network.delayMs() + late, "message", peer.life, `frame ${from}>${toNodeId} ${total}`, () => {
        if (this.#network.isCut(this.life.name, peer.life.name)) {
          loop.count("frame cut");
          return;
        }
        peer.#events?.onFrame(from, channel, frame.slice());
      });
    }
    return true;
  }

  askMeta(address: string, request: MetaRequest, timeoutMs: number, done: Done<MetaResponse>): void {
    ask(this.#network, this.#directory, this.life, { address, request, timeoutMs }, done);
  }

  publishState(version: number, state: Record<string, unknown>): void {
    if (this.#published !== null && version <= this.#published.version) return;
    this.#published = { version, state };
    for (const watcher of this.#watchers) this.#push(watcher);
  }

  /** A watcher that is gone or cut off hears nothing; it finds out by asking again. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    this.#push(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  #push(watcher: Watcher): void {
    const published = this.#published;
    if (published === null) return;
    const text = JSON.stringify(published.state);
    this.#network.loop.after(this.#network.delayMs(), "message", watcher.life, "state", () => {
      if (this.#network.isCut(this.life.name, watcher.life.name)) return;
      watcher.onState(JSON.parse(text) as Record<string, unknown>);
    });
  }

  close(done: Done<void>): void {
    this.died();
    this.#network.loop.after(0, "soon", this.life, "peers closed", () => done({ ok: true, value: undefined }));
  }

  /** The process is gone: nobody answers here any more, peers notice a reset. */
  died(): void {
    if (this.#directory.byAddress.get(this.address) === this) this.#directory.byAddress.delete(this.address);
    const nodeId = this.#identity?.nodeId;
    for (const peer of this.#directory.byAddress.values()) {
      if (nodeId === undefined || peer.#up.get(nodeId) !== this) continue;
      peer.#up.delete(nodeId);
      this.#network.loop.after(this.#network.delayMs(), "message", peer.life, "peer reset", () =>
        peer.#events?.onPeerDown(nodeId, "reset"),
      );
    }
  }

  onMetaRequest(request: MetaRequest, answer: (response: MetaResponse) => void): void {
    this.#events?.onMetaRequest(request, answer);
  }

  /** Looks again and again who is there: what the dialling loop of the real one does. */
  #keepConnected(): void {
    const { loop } = this.#network;
    loop.after(RECONNECT_MS, "timer", this.life, "peers", () => {
      this.#keepConnected();
      const identity = this.#identity;
      if (identity === null) return;
      for (const { nodeId, address } of this.#peers) {
        if (nodeId === identity.nodeId) continue;
        const peer = this.#directory.byAddress.get(address);
        const reachable =
          peer !== undefined &&
          peer.life.alive &&
          peer.#identity?.clusterId === identity.clusterId &&
          peer.#identity.nodeId === nodeId &&
          !this.#network.isCut(this.life.name, peer.life.name) &&
          !this.#network.isCut(peer.life.name, this.life.name);
        if (reachable && this.#up.get(nodeId) !== peer) {
          this.#up.set(nodeId, peer);
          this.#events?.onPeerUp(nodeId, peer.#identity!.incarnation);
        } else if (!reachable && peer !== undefined && this.#up.get(nodeId) === peer) {
          this.#noticeSilence(nodeId, peer);
        }
      }
    });
  }

  readonly #silent: Set<number> = new Set();

  #noticeSilence(nodeId: number, peer: SimPeerNetwork): void {
    if (this.#silent.has(nodeId)) return;
    this.#silent.add(nodeId);
    this.#network.loop.after(SILENCE_MS, "timer", this.life, "silence", () => {
      this.#silent.delete(nodeId);
      const stillCut =
        this.#network.isCut(this.life.name, peer.life.name) || this.#network.isCut(peer.life.name, this.life.name);
      if (!stillCut || this.#up.get(nodeId) !== peer) return;
      this.#up.delete(nodeId);
      this.#events?.onPeerDown(nodeId, "silent");
    });
  }
}

/** One question and its answer, each over the network; a time-out when either is lost. */
function ask(
  network: SimNetwork,
  directory: PeerDirectory,
  life: Life,
  question: { readonly address: string; readonly request: MetaRequest; readonly timeoutMs: number },
  done: Done<MetaResponse>,
): void {
  const { loop } = network;
  let open = true;
  const finish: Done<MetaResponse> = (result) => {
    if (!open) return;
    open = false;
    timer.cancel();
    done(result);
  };
  const timer = loop.after(question.timeoutMs, "timer", life, "ask timeout", () =>
    finish({ ok: false, reason: "io", message: `${question.address}: no answer` }),
  );
  const wire = JSON.stringify(question.request);
  loop.after(network.delayMs(), "message", null, `ask ${question.request.kind}`, () => {
    const target = directory.byAddress.get(question.address);
    if (target === undefined || !target.life.alive) {
      loop.after(network.delayMs(), "message", life, "ask refused", () =>
        finish({ ok: false, reason: "missing", message: `${question.address}: refused` }),
      );
      return;
    }
    if (network.isCut(life.name, target.life.name) || target.life.paused) return;
    target.onMetaRequest(JSON.parse(wire) as MetaRequest, (response) => {
      const { payload } = response;
      const back = JSON.stringify({ ok: response.ok, body: response.body });
      loop.after(network.delayMs(), "message", life, "answer", () => {
        if (!network.isCut(target.life.name, life.name)) {
          const value = JSON.parse(back) as MetaResponse;
          finish({ ok: true, value: payload === undefined ? value : { ...value, payload: payload.slice() } });
        }
      });
    });
  });
}

export class SimMetaClient implements MetaClient {
  readonly #network: SimNetwork;
  readonly #directory: PeerDirectory;
  readonly #life: Life;
  #closed = false;

  constructor(network: SimNetwork, directory: PeerDirectory, life: Life) {
    this.#network = network;
    this.#directory = directory;
    this.#life = life;
  }

  ask(address: string, request: MetaRequest, timeoutMs: number, done: Done<MetaResponse>): void {
    ask(this.#network, this.#directory, this.#life, { address, request, timeoutMs }, done);
  }

  watch(addresses: () => readonly string[], onState: (state: Record<string, unknown>) => void): { close(): void } {
    let open = true;
    let attached: SimPeerNetwork | null = null;
    let detach: () => void = () => undefined;
    const look = (): void => {
      if (!open || this.#closed) return;
      this.#network.loop.after(RECONNECT_MS, "timer", this.#life, "watch", look);
      const lost =
        attached === null ||
        !attached.life.alive ||
        this.#directory.byAddress.get(attached.address) !== attached ||
        this.#network.isCut(attached.life.name, this.#life.name);
      if (!lost) return;
      detach();
      attached = null;
      const known = addresses();
      const target = this.#directory.byAddress.get(known[this.#network.random.below(known.length)] ?? "");
      if (target === undefined || !target.life.alive || this.#network.isCut(target.life.name, this.#life.name)) return;
      attached = target;
      detach = target.watch({ life: this.#life, onState });
    };
    look();
    return {
      close: () => {
        open = false;
        detach();
      },
    };
  }

  close(): void {
    this.#closed = true;
  }
}
