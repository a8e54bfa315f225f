/**
 * A gateway with everything around it in memory: clients are pipes, and one node in the same process answers every frame with canned replies. One thread, tasks
 * in order, no I/O.
 */
import { ByteWriter, asciiBytes } from "@headrace/bytes";
import { Gateway, defaultLimits, noProcessNumbers } from "@headrace/gateway";
import * as link from "@headrace/link";
import { clusterStateToJson, defaultSettings, foundingPlan } from "@headrace/meta";
import type { ByteConnection, ByteConnectionEvents, GatewayWorld, Logger } from "@headrace/ports";

/** What the node answers every request with. */
export const REPLY = "$15\r\n1700000000000-0\r\n";
const CREDITS = { laneCreditBytes: 1 << 20, linkCreditBytes: 1 << 26 };

const tasks: (() => void)[] = [];

/** Runs what is to be done until nothing is left, or `until` says so: as an event loop without I/O. */
export function runTasks(until: () => boolean): void {
  let at = 0;
  while (at < tasks.length && !until()) {
    tasks[at++]!();
    if (at === 4096) {
      tasks.splice(0, at);
      at = 0;
    }
  }
  tasks.splice(0, at);
}

export class Pipe implements ByteConnection {
  readonly remoteAddress = "127.0.0.1:1";
  readonly localAddress = "127.0.0.1:2";
  peer!: Pipe;
  events: ByteConnectionEvents | null = null;

  listen(events: ByteConnectionEvents): void {
    this.events = events;
  }

  write(chunk: Uint8Array): boolean {
    const { peer } = this;
    tasks.push(() => peer.events!.onData(chunk));
    return true;
  }

  bufferedBytes(): number {
    return 0;
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

/** Two ends of a connection. */
export function pipe(): [Pipe, Pipe] {
  const [near, far] = [new Pipe(), new Pipe()];
  near.peer = far;
  far.peer = near;
  return [near, far];
}

/** Shakes hands, says that it leads every shard, answers every request. */
function serveNode(connection: Pipe, shardCount: number): void {
  const reader = new link.FrameReader({ maxMessageBytes: 1 << 26, maxPartialBytes: 1 << 26 }, true);
  const handshake = new link.NodeHandshake(
    { clusterId: "bench", nodeId: 1, incarnation: 1, featureLevel: 1 },
    CREDITS,
    { secret: null, hmacSha256: (_key, data) => data, nonce: "0".repeat(32) },
  );
  const out = new ByteWriter(64 * 1024);
  const request = new link.RequestPayload();
  const replies = asciiBytes(REPLY.repeat(4096));
  const header = { laneEpoch: 0, count: 0, firstNumber: 0, writeTerm: 1, writeIndex: 1 };
  const answer = (): void => {
    request.decode(reader);
    header.laneEpoch = request.laneEpoch;
    header.count = request.count;
    header.firstNumber = request.firstNumber;
    const at = link.beginReply(out, reader.shard, reader.lane, header);
    out.raw(replies, 0, request.count * REPLY.length);
    link.endFrame(out, at);
    link.writeCredit(out, reader.lane, reader.end - reader.start);
    link.writeCredit(out, 0, reader.end - reader.start);
  };
  connection.listen({
    onData: (chunk) => {
      reader.feed(chunk);
      while (reader.next() === link.FrameResult.frame) {
        if (handshake.state === "ready") {
          if (reader.type === link.FrameType.Request) answer();
        } else if (handshake.onFrame(reader, out) === "ready") {
          for (let shard = 1; shard <= shardCount; shard++) link.writeLeader(out, shard, { nodeId: 1, term: 1 });
        }
      }
      if (out.length > 0) connection.write(out.take(Math.max(1024, out.length)));
    },
    onDrain: () => {},
    onClose: () => {},
  });
}

/** A gateway that has found its node. */
export function openGateway(shardCount: number): Gateway {
  const silent = (): void => {};
  const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => logger };
  const nothing = { cancel: silent };
  const address = "127.0.0.1:7000";
  const state = foundingPlan({
    clusterId: "bench",
    founders: [
      {
        joinToken: "t",
        peerAddress: address,
        dataAddress: address,
        httpAddress: address,
        announceHost: "127.0.0.1",
        announcePort: 7000,
      },
    ],
    shardCount,
    replicaCount: 1,
    settings: defaultSettings,
  });
  const world: GatewayWorld = {
    clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
    scheduler: { soon: (task) => void tasks.push(task), after: () => nothing },
    random: { u32: () => 4, below: () => 0 },
    digest: { hmacSha256: (_key, data) => data },
    network: {
      connect: () => {
        const [near, far] = pipe();
        serveNode(far, shardCount);
        return near;
      },
      accept: () => ({ close: (done) => done() }),
    },
    metaClient: {
      ask: silent,
      watch: (_addresses, onState) => {
        tasks.push(() => onState(clusterStateToJson(state)));
        return { close: silent };
      },
      close: silent,
    },
    logger,
  };
  const gateway = new Gateway(
    {
      policy: "proxy",
      listenAddress: null,
      announceHost: "127.0.0.1",
      announcePort: 6379,
      localNodeId: 0,
      gatewayId: "bench",
      incarnation: 1,
      seedAddresses: [address],
      secret: null,
      processId: 1,
      runId: "0".repeat(40),
      headraceVersion: "0",
      processNumbers: () => noProcessNumbers,
      extraSettings: [],
      limits: defaultLimits,
    },
    world,
  );
  gateway.start(silent);
  runTasks(() => false);
  return gateway;
}

/** What was not done yet is dropped. */
export function forgetTasks(): void {
  tasks.length = 0;
}
