/**
 * The metadata service as gateways and the command line see it. A watch follows several nodes at once: one that is cut off from the others
 * or stopped would otherwise keep its watchers on an old placement.
 */
import { Client, credentials, type ClientReadableStream } from "@grpc/grpc-js";
import type { Logger, MetaClient, MetaResponse } from "@headrace/ports";
import { metaChannelOptions } from "./grpc-options.ts";
import { LogLimiter } from "./log-limiter.ts";
import { askMetaService, objectionToAddress } from "./meta-ask.ts";
import { parseObject } from "./meta-service.ts";
import { proveRequest } from "./proof-of-identity.ts";
import { metaService, methodOf, type StateMessage } from "./proto-contract.ts";

export interface MetaClientOptions {
  /** HEADRACE_CLUSTER_SECRET, or null: loopback only. */
  readonly secret: string | null;
  readonly logger: Logger;
}

const watchMethod = methodOf(metaService, "Watch");
const STREAMS_MAX = 3;
const REDIAL_DELAYS_MS = [20, 50, 100, 100, 200, 200, 500, 1_000];

export function createMetaClient(options: MetaClientOptions): MetaClient {
  const secret = options.secret === null ? null : Buffer.from(options.secret, "utf8");
  const limiter = new LogLimiter();
  const watches = new Set<Watch>();
  const pending = new Set<() => void>();
  return {
    ask(address, request, timeoutMs, done): void {
      const cancel = askMetaService({ address, secret, request, timeoutMs }, (result) => {
        pending.delete(cancel);
        done(result satisfies { readonly ok: boolean; readonly value?: MetaResponse });
      });
      pending.add(cancel);
    },
    watch(addresses, onState): { close(): void } {
      const watch = new Watch({ secret, logger: options.logger, limiter, addresses, onState });
      watches.add(watch);
      return {
        close(): void {
          watches.delete(watch);
          watch.close();
        },
      };
    },
    close(): void {
      for (const watch of watches) watch.close();
      watches.clear();
      for (const cancel of pending) cancel();
    },
  };
}

interface WatchOptions {
  readonly secret: Uint8Array | null;
  readonly logger: Logger;
  readonly limiter: LogLimiter;
  addresses(): readonly string[];
  onState(state: Record<string, unknown>): void;
}

/** Up to three streams to different addresses; the highest version wins. */
class Watch {
  readonly #options: WatchOptions;
  readonly #streams: Set<WatchStream>;
  #version: number;
  #nextAddress: number;
  #failures: number;
  #timer: NodeJS.Timeout | null;
  #isClosed: boolean;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#streams = new Set();
    this.#version = 0;
    this.#nextAddress = 0;
    this.#failures = 0;
    this.#timer = null;
    this.#isClosed = false;
    this.#schedule(0);
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const stream of this.#streams) stream.close();
    this.#streams.clear();
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#fill();
    }, delayMs);
  }

  #fill(): void {
    const addresses = [...new Set(this.#options.addresses())];
    const taken = new Set<string>();
    for (const stream of this.#streams) taken.add(stream.address);
    // Round robin, so that of many addresses the dead ones do not keep their places.
    for (let tried = 0; tried < addresses.length && this.#streams.size < STREAMS_MAX; tried++) {
      const address = addresses[this.#nextAddress++ % addresses.length]!;
      if (taken.has(address)) continue;
      const objection = objectionToAddress(address, this.#options.secret);
      if (objection !== null) {
        this.#log(address, objection);
        continue;
      }
      this.#open(address);
    }
    // No address yet, or none that may be used: the list may change.
    if (this.#streams.size === 0) this.#scheduleRetry();
  }

  #open(address: string): void {
    const stream = new WatchStream(address, this.#options.secret, this.#version, {
      onState: (message) => this.#received(address, message),
      onLost: (reason) => {
        this.#streams.delete(stream);
        this.#log(address, reason);
        this.#scheduleRetry();
      },
    });
    this.#streams.add(stream);
  }

  #received(address: string, message: StateMessage): void {
    this.#failures = 0;
    if (this.#isClosed || message.version <= this.#version) return;
    const state = parseObject(message.stateJson);
    if (state === null) return this.#log(address, "state_json is no JSON object");
    this.#version = message.version;
    this.#options.onState(state);
  }

  #scheduleRetry(): void {
    const step = Math.min(this.#failures, REDIAL_DELAYS_MS.length - 1);
    this.#failures++;
    this.#schedule(REDIAL_DELAYS_MS[step]!);
  }

  #log(address: string, reason: string): void {
    if (!this.#isClosed && this.#options.limiter.allows(`${address} ${reason}`)) {
      this.#options.logger.warn("meta_watch_lost", { address, reason });
    }
  }
}

interface WatchStreamEvents {
  onState(message: StateMessage): void;
  onLost(reason: string): void;
}

class WatchStream {
  readonly address: string;
  readonly #client: Client;
  readonly #call: ClientReadableStream<object>;
  #isOver: boolean;

  constructor(address: string, secret: Uint8Array | null, knownVersion: number, events: WatchStreamEvents) {
    this.address = address;
    this.#isOver = false;
    this.#client = new Client(address, credentials.createInsecure(), metaChannelOptions);
    this.#call = this.#client.makeServerStreamRequest(
      watchMethod.path,
      watchMethod.requestSerialize,
      watchMethod.responseDeserialize,
      { knownVersion, proof: proveRequest(secret, "watch") },
    );
    this.#call.on("data", (message: object) => {
      if (!this.#isOver) events.onState(message as StateMessage);
    });
    const lost = (outcome: { readonly details: string }): void => {
      if (this.#isOver) return;
      this.close();
      events.onLost(outcome.details);
    };
    this.#call.on("status", lost);
    this.#call.on("error", (error: Error & { readonly details?: string }) =>
      lost({ details: error.details ?? error.message }),
    );
  }

  close(): void {
    this.#isOver = true;
    this.#call.cancel();
    this.#client.close();
  }
}
