/**
 * One question to the meta service of one node. A gRPC client of its own each time: it is the cold path, and a kept one would answer from
 * its back-off instead of asking.
 */
import { Client, credentials, status, type ServiceError } from "@grpc/grpc-js";
import type { Done, FailureReason, MetaRequest, MetaResponse } from "@headrace/ports";
import { metaChannelOptions } from "./grpc-options.ts";
import { isLoopbackHost, parseHostPort } from "./host-port.ts";
import { parseObject } from "./meta-service.ts";
import { proveRequest } from "./proof-of-identity.ts";
import { metaService, methodOf, type ResponseMessage } from "./proto-contract.ts";

const askMethod = methodOf(metaService, "Ask");

export interface Asking {
  readonly address: string;
  readonly secret: Uint8Array | null;
  readonly request: MetaRequest;
  readonly timeoutMs: number;
}

/** Answers the way to give up: after it `done` gets `closed`. */
export function askMetaService(asking: Asking, done: Done<MetaResponse>): () => void {
  const objection = objectionToAddress(asking.address, asking.secret);
  if (objection !== null) {
    setImmediate(() => done({ ok: false, reason: "io", message: objection }));
    return () => undefined;
  }
  const { kind, body } = asking.request;
  const bodyJson = JSON.stringify(body);
  const proof = proveRequest(asking.secret, `${kind}\n${bodyJson}`);
  const client = new Client(asking.address, credentials.createInsecure(), metaChannelOptions);
  const call = client.makeUnaryRequest(
    askMethod.path,
    askMethod.requestSerialize,
    askMethod.responseDeserialize,
    { kind, bodyJson, proof },
    { deadline: Date.now() + asking.timeoutMs },
    (error: ServiceError | null, response?: object) => {
      client.close();
      if (error !== null || response === undefined) {
        done({ ok: false, reason: reasonOf(error), message: `${asking.address}: ${error?.details ?? "no response"}` });
        return;
      }
      const answer = response as ResponseMessage;
      const answerBody = parseObject(answer.bodyJson);
      if (answerBody === null) {
        done({ ok: false, reason: "corrupt", message: `${asking.address}: body_json is no JSON object` });
        return;
      }
      const { payload } = answer;
      const value =
        payload.length === 0 ? { ok: answer.ok, body: answerBody } : { ok: answer.ok, body: answerBody, payload };
      done({ ok: true, value });
    },
  );
  return () => call.cancel();
}

/** Why an address may not be used, or null. Without a secret nothing leaves the machine. */
export function objectionToAddress(address: string, secret: Uint8Array | null): string | null {
  const parsed = parseHostPort(address);
  if (parsed === null) return `${address} is not host:port`;
  if (secret === null && !isLoopbackHost(parsed.host)) {
    return `${address} is not on this machine and HEADRACE_CLUSTER_SECRET is not set: without a secret only loopback addresses are used`;
  }
  return null;
}

function reasonOf(error: ServiceError | null): FailureReason {
  return error?.code === status.CANCELLED ? "closed" : "io";
}
