/**
 * The services of meta.proto and node.proto on a node: hands questions to the node, keeps the last published state and the watchers. Asks
 * are served before the node has an identity: founding needs them. Knows nothing of what states and questions mean.
 */
import {
  status,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import type { Logger, MetaRequest, MetaResponse } from "@headrace/ports";
import type { LogLimiter } from "./log-limiter.ts";
import { objectionToRequest } from "./proof-of-identity.ts";
import {
  metaService,
  nodeAdminService,
  type ProofMessage,
  type RequestMessage,
  type ResponseMessage,
  type StateMessage,
  type StatusRequestMessage,
  type StatusResponseMessage,
  type WatchRequestMessage,
} from "./proto-contract.ts";

type Watcher = ServerWritableStream<WatchRequestMessage, StateMessage>;

export interface MetaServiceOptions {
  readonly secret: Uint8Array | null;
  readonly logger: Logger;
  readonly limiter: LogLimiter;
  onMetaRequest(request: MetaRequest, answer: (response: MetaResponse) => void): void;
}

// A watcher that reads nothing is closed rather than served from memory; states are small and rare.
const WATCHERS_MAX = 1024;
const NO_PAYLOAD = new Uint8Array(0);

export class MetaService {
  readonly #options: MetaServiceOptions;
  readonly #watchers: Set<Watcher>;
  #state: StateMessage | null;

  constructor(options: MetaServiceOptions) {
    this.#options = options;
    this.#watchers = new Set();
    this.#state = null;
  }

  addTo(server: Server): void {
    server.addService(metaService, {
      Ask: (call: ServerUnaryCall<RequestMessage, ResponseMessage>, reply: sendUnaryData<ResponseMessage>) =>
        this.#ask(call, reply),
      Watch: (call: Watcher) => this.#watch(call),
    });
    server.addService(nodeAdminService, {
      Status: (
        call: ServerUnaryCall<StatusRequestMessage, StatusResponseMessage>,
        reply: sendUnaryData<StatusResponseMessage>,
      ) => this.#status(call, reply),
    });
  }

  publish(version: number, state: Record<string, unknown>): void {
    if (this.#state !== null && version <= this.#state.version) return;
    this.#state = { version, stateJson: JSON.stringify(state) };
    for (const watcher of this.#watchers) this.#push(watcher, this.#state);
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
  }

  #ask(call: ServerUnaryCall<RequestMessage, ResponseMessage>, reply: sendUnaryData<ResponseMessage>): void {
    const { kind, bodyJson, proof } = call.request;
    const refused = this.#objection(call.getPeer(), proof, `${kind}\n${bodyJson}`);
    if (refused !== null) {
      reply({ code: status.UNAUTHENTICATED, details: refused });
      return;
    }
    const body = parseObject(bodyJson);
    if (body === null) {
      reply({ code: status.INVALID_ARGUMENT, details: "body_json is no JSON object" });
      return;
    }
    this.#options.onMetaRequest(
      { kind, body },
      once(({ ok, body: answered, payload }) =>
        reply(null, { ok, bodyJson: JSON.stringify(answered), payload: payload ?? NO_PAYLOAD }),
      ),
    );
  }

  #status(
    call: ServerUnaryCall<StatusRequestMessage, StatusResponseMessage>,
    reply: sendUnaryData<StatusResponseMessage>,
  ): void {
    const refused = this.#objection(call.getPeer(), call.request.proof, "status");
    if (refused !== null) {
      reply({ code: status.UNAUTHENTICATED, details: refused });
      return;
    }
    this.#options.onMetaRequest(
      { kind: "status", body: {} },
      once((response) => reply(null, { statusJson: JSON.stringify(response.body) })),
    );
  }

  #watch(call: Watcher): void {
    const refused = this.#objection(call.getPeer(), call.request.proof, "watch");
    const isFull = this.#watchers.size >= WATCHERS_MAX;
    if (refused !== null || isFull) {
      const code = refused !== null ? status.UNAUTHENTICATED : status.RESOURCE_EXHAUSTED;
      call.emit("error", { code, details: refused ?? `${WATCHERS_MAX} watchers already` });
      return;
    }
    const gone = (): void => void this.#watchers.delete(call);
    call.on("cancelled", gone);
    call.on("error", gone);
    call.on("close", gone);
    this.#watchers.add(call);
    if (this.#state !== null && this.#state.version > call.request.knownVersion) this.#push(call, this.#state);
  }

  #push(watcher: Watcher, state: StateMessage): void {
    if (watcher.write(state)) return;
    this.#watchers.delete(watcher);
    watcher.emit("error", { code: status.RESOURCE_EXHAUSTED, details: "the watcher does not read" });
  }

  #objection(from: string, proof: ProofMessage | null, content: string): string | null {
    const objection = objectionToRequest(this.#options.secret, proof, content);
    if (objection === null) return null;
    if (this.#options.limiter.allows(`meta ${from.replace(/:\d+$/, "")} ${objection}`)) {
      this.#options.logger.warn("meta_request_refused", { from, reason: objection });
    }
    return objection;
  }
}

export function parseObject(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json === "" ? "{}" : json);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    // JSON.parse has no other way to say that the text is none; both callers answer with a failure of their own.
    return null;
  }
}

/** The node may answer late; twice would be its mistake, and harmless to the asker. */
function once(reply: (response: MetaResponse) => void): (response: MetaResponse) => void {
  let isAnswered = false;
  return (response) => {
    if (isAnswered) return;
    isAnswered = true;
    reply(response);
  };
}
