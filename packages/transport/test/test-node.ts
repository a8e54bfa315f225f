/**
 * A node's end of the network with everything it heard, and waits for what it will hear. Nothing here sleeps.
 */
import type { Logger, MetaResponse, PeerChannel, PeerLoss, Result } from "@headrace/ports";
import { createGrpcPeerNetwork, type GrpcPeerNetwork, type GrpcPeerNetworkOptions } from "../src/index.ts";

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly fields: Record<string, unknown>;
}

export class Lines {
  readonly lines: LogLine[] = [];
  readonly logger: Logger;
  #wake: (() => void)[] = [];

  constructor() {
    const add =
      (level: string) =>
      (event: string, fields: Record<string, unknown> = {}): void => {
        this.lines.push({ level, event, fields });
        for (const wake of this.#wake.splice(0)) wake();
      };
    this.logger = {
      debug: add("debug"),
      info: add("info"),
      warn: add("warn"),
      error: add("error"),
      child: () => this.logger,
    };
  }

  async until(event: string, about: string): Promise<void> {
    while (!this.lines.some((line) => line.event === event && JSON.stringify(line.fields).includes(about))) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }
}

export class TestNode {
  readonly nodeId: number;
  readonly network: GrpcPeerNetwork;
  readonly log: Lines;
  /** `up 2 (7)`, `down 2 reset`, in order. */
  readonly happened: string[] = [];
  readonly objections: string[] = [];
  readonly frames: { readonly from: number; readonly channel: PeerChannel; readonly bytes: Uint8Array }[] = [];
  readonly writable: string[] = [];
  readonly up: Set<number> = new Set();
  /** Questions stay unanswered. */
  isMute = false;
  /** Goes with each answer. */
  payload: Uint8Array | null = null;
  #wake: (() => void)[] = [];

  constructor(nodeId: number, options: Partial<GrpcPeerNetworkOptions> = {}) {
    this.nodeId = nodeId;
    this.log = new Lines();
    this.network = createGrpcPeerNetwork({
      bindAddress: "127.0.0.1:0",
      secret: null,
      logger: this.log.logger,
      ...options,
    });
  }

  get address(): string {
    return `127.0.0.1:${this.network.boundPort()}`;
  }

  async start(): Promise<this> {
    const result = await this.tryStart();
    if (!result.ok) throw new Error(result.message);
    return this;
  }

  tryStart(): Promise<Result<void>> {
    return new Promise((resolve) =>
      this.network.start(
        {
          onFrame: (from, channel, bytes) => this.#heard(() => this.frames.push({ from, channel, bytes })),
          onPeerUp: (nodeId, incarnation) =>
            this.#heard(() => {
              this.up.add(nodeId);
              this.happened.push(`up ${nodeId} (${incarnation})`);
            }),
          onPeerDown: (nodeId, loss: PeerLoss) =>
            this.#heard(() => {
              this.up.delete(nodeId);
              this.happened.push(`down ${nodeId} ${loss}`);
            }),
          onPeerRefused: (objection) => this.#heard(() => this.objections.push(objection)),
          onWritable: (nodeId, channel) => this.#heard(() => this.writable.push(`${nodeId}/${channel}`)),
          onMetaRequest: ({ kind, body }, answer) => {
            const { payload } = this;
            if (!this.isMute) answer({ ok: true, body: { kind, ...body }, ...(payload === null ? {} : { payload }) });
          },
        },
        resolve,
      ),
    );
  }

  identify(incarnation: number = 1, clusterId: string = "c1"): this {
    this.network.identify({ clusterId, nodeId: this.nodeId, incarnation });
    return this;
  }

  async until(isReached: () => boolean): Promise<void> {
    while (!isReached()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  ask(address: string, kind: string, body: Record<string, unknown> = {}): Promise<Result<MetaResponse>> {
    return new Promise((resolve) => this.network.askMeta(address, { kind, body }, 5_000, resolve));
  }

  close(): Promise<Result<void>> {
    return new Promise((resolve) => this.network.close(resolve));
  }

  #heard(note: () => void): void {
    note();
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Everyone dials everyone. */
export function introduce(nodes: readonly TestNode[]): void {
  for (const node of nodes) {
    node.network.setPeers(nodes.map(({ nodeId, address }) => ({ nodeId, address })));
  }
}

export async function untilMeshed(nodes: readonly TestNode[]): Promise<void> {
  for (const node of nodes) await node.until(() => node.up.size === nodes.length - 1);
}
