/**
 * One storage node on the real world: the twin of the simulator's wiring, to be read beside it. Everything that is real is chosen here.
 */
import { join } from "node:path";
import { utf8Bytes } from "@headrace/bytes";
import { Gateway } from "@headrace/gateway";
import { defaultNodeConfig, Node, type NodeConfig, type NodeOuterWorld } from "@headrace/node";
import type { ByteConnection, ByteNetwork, KvStore, Logger, RecordStore, SegmentDisk } from "@headrace/ports";
import { noStoreBytes, openLevelStore, openRecordStore, openSpaceProbe } from "@headrace/store";
import { createGrpcPeerNetwork, createMetaClient } from "@headrace/transport";
import { noSegmentBytes, openSegmentDisk } from "@headrace/wal";
import { serveAdmin, type AdminHttp } from "./admin-http.ts";
import { BackupDirectory } from "./backup-directory.ts";
import { claimDirectory, StartError } from "./data-directory.ts";
import { completed } from "./done-promise.ts";
import { GroupLags } from "./group-lags.ts";
import { nodeMetrics } from "./metrics.ts";
import { shownStatus } from "./node-status.ts";
import { nodePlaces, secretOf, seedsOf, type NodePlaces } from "./node-places.ts";
import { directGatewayConfig } from "./real-gateway.ts";
import { shownSettings } from "./configuration.ts";
import type { Settings } from "./settings.ts";
import { systemClock, systemScheduler } from "./system-clock.ts";
import { systemDigest, SystemRandom } from "./system-random.ts";
import { boundGarbage, collectStartGarbage, collectYoungGarbage } from "./v8-flags.ts";

const MIB = 1024 * 1024;

export interface RunningNode {
  readonly node: Node;
  close(): Promise<void>;
}

/** Starts the node; rejects with a StartError when it can't. Ready is later: see `node.readiness()`. */
export async function startNode(settings: Settings, network: ByteNetwork, logger: Logger): Promise<RunningNode> {
  const places = nodePlaces(settings);
  const seeds = seedsOf(settings);
  const directory = settings["data"] as string;
  claimDirectory(directory, "node", {});
  const random = new SystemRandom();
  const written = { log: noSegmentBytes(), store: noStoreBytes() };
  const segmentDisk = await completed<SegmentDisk>("the log", (done) =>
    openSegmentDisk(join(directory, "wal"), { written: written.log }, done),
  );
  const damage = new StoreDamage();
  boundGarbage(settings["memory"] as number);
  const storeSizes = storeSizesWithin(settings["memory"] as number);
  const kvStore = await completed<KvStore>("the store", (done) =>
    openLevelStore(
      join(directory, "state"),
      {
        onDamage: (message) => damage.found(message),
        compression: settings["compression"] as boolean,
        written: written.store,
        ...storeSizes,
      },
      done,
    ),
  );
  const recordStore = await completed<RecordStore>("the records", (done) =>
    openRecordStore(join(directory, "records"), done),
  );
  const secret = secretOf(settings);
  const peerNetwork = createGrpcPeerNetwork({
    bindAddress: places.peerBindAddress,
    secret,
    logger: logger.child({ component: "peers" }),
  });
  const direct = new DirectClients(settings, places, network, logger);
  const world: NodeOuterWorld = {
    clock: systemClock,
    scheduler: systemScheduler,
    random,
    digest: systemDigest,
    segmentDisk,
    kvStore,
    recordStore,
    spaceProbe: openSpaceProbe(directory),
    peerNetwork,
    logger,
    network,
    onRespConnection: (connection) => direct.accept(connection),
    ...(settings["restore"] === null ? {} : { backup: new BackupDirectory(settings["restore"] as string) }),
  };
  const node = new Node(nodeConfig(settings, places, seeds, secret), world);
  direct.node = node;
  damage.tellTo(node);
  // Reading the log and the state makes more garbage in a second than anything that comes later.
  const endCollecting = collectYoungGarbage(settings["memory"] as number);
  const failure = await new Promise<{ message: string } | null>((done) => node.start(done));
  if (failure !== null) {
    endCollecting();
    throw new StartError(failure.message);
  }
  collectStartGarbage(settings["memory"] as number);
  const lags = new GroupLags(node, settings["metrics-groups"] as number, () => world.clock.wallMs());
  const metrics = nodeMetrics(node, written, lags);
  let admin: AdminHttp;
  try {
    admin = await serveAdmin(places.bindHost, places.httpPort, {
      metrics,
      unreadyReasons: () => node.readiness().reasons,
      status: () => shownStatus(node.status()),
    });
  } catch (error) {
    endCollecting();
    await new Promise<void>((stopped) => node.stop(stopped));
    throw new StartError((error as Error).message);
  }
  return {
    node,
    close: async () => {
      endCollecting();
      await direct.close();
      await new Promise<void>((stopped) => node.stop(stopped));
      await admin.close();
    },
  };
}

/** What the store finds damaged before there is a node to tell it to waits for the node. */
class StoreDamage {
  #early: string[] = [];
  #node: Node | null = null;

  found(message: string): void {
    if (this.#node === null) this.#early.push(message);
    else this.#node.storeIsDamaged(message);
  }

  tellTo(node: Node): void {
    this.#node = node;
    for (const message of this.#early.splice(0)) node.storeIsDamaged(message);
  }
}

/** What LevelDB keeps in memory: it shrinks with the budget that the node is started with. */
function storeSizesWithin(budgetBytes: number): { readonly writeBufferBytes: number; readonly cacheBytes: number } {
  const part = (share: number, most: number): number =>
    budgetBytes === 0 ? most : Math.min(most, Math.max(Math.floor(budgetBytes * share), MIB));
  return { writeBufferBytes: part(1 / 32, 64 * MIB), cacheBytes: part(1 / 64, 8 * MIB) };
}

function nodeConfig(
  settings: Settings,
  places: NodePlaces,
  seeds: readonly string[],
  secret: string | null,
): NodeConfig {
  const ack = settings["ack"] as string;
  const store = storeSizesWithin(settings["memory"] as number);
  return {
    ...defaultNodeConfig,
    addresses: {
      peerAddress: places.peerAddress,
      dataAddress: `${places.announceHost}:${places.announceDataPort}`,
      httpAddress: `${places.announceHost}:${places.httpPort}`,
      announceHost: places.announceHost,
      announcePort: places.announceDataPort,
    },
    dataBindAddress: places.dataBindAddress,
    seeds,
    bootstrapExpect: settings["bootstrap-expect"] as number,
    shards: settings["shards"] as number | null,
    replicas: settings["replicas"] as number | null,
    settings: {
      ...defaultNodeConfig.settings,
      ack: ack === "all" ? 2 : ack === "1" ? 1 : 0,
      streamNodeMaxEntries: settings["stream-node-max-entries"] as number,
      streamNodeMaxBytes: settings["stream-node-max-bytes"] as number,
      streamIdmpDuration: settings["stream-idmp-duration"] as number,
      streamIdmpMaxSize: settings["stream-idmp-maxsize"] as number,
      streamRetentionMs: settings["stream-retention-ms"] as number,
      streamRetentionBytes: settings["stream-retention-bytes"] as number,
      streamRetentionEntries: settings["stream-retention-entries"] as number,
      streamDelayedMaxEntries: settings["stream-delayed-max-entries"] as number,
      streamOutboxMaxBytes: settings["stream-outbox-max-bytes"] as number,
      streamRetentionKeepsUnacked: settings["stream-retention-keep"] === "unacked",
    },
    electionTimeoutMs: settings["election-timeout-ms"] as number,
    heartbeatMs: settings["heartbeat-ms"] as number,
    nodeDownAfterMs: settings["node-down-after"] as number,
    fsync: settings["fsync"] as NodeConfig["fsync"],
    walSegmentBytes: settings["wal-segment-bytes"] as number,
    diskReserveBytes: settings["disk-reserve"] as number,
    memoryBytes: settings["memory"] as number,
    // One write buffer is being filled, another one written.
    storeMemoryBytes: 2 * store.writeBufferBytes + store.cacheBytes,
    snapshotBytesPerSecond: settings["snapshot-rate"] as number,
    scrubBytesPerSecond: settings["scrub-rate"] as number,
    shardLimits: { ...defaultNodeConfig.shardLimits, logRetainBytes: settings["log-retain"] as number },
    secret: secret === null ? null : utf8Bytes(secret),
  };
}

/**
 * Clients that speak RESP to the node's data port: redis-cli, cluster-aware clients. They are served by a gateway in this process that answers for
 * this node only and redirects with MOVED. Made with the first such client, once the node knows who it is.
 */
class DirectClients {
  node: Node | null = null;
  readonly #settings: Settings;
  readonly #places: NodePlaces;
  readonly #network: ByteNetwork;
  readonly #logger: Logger;
  #gateway: Gateway | null = null;
  #metaClient: ReturnType<typeof createMetaClient> | null = null;

  constructor(settings: Settings, places: NodePlaces, network: ByteNetwork, logger: Logger) {
    this.#settings = settings;
    this.#places = places;
    this.#network = network;
    this.#logger = logger;
  }

  accept(connection: ByteConnection): void {
    const nodeId = this.node?.nodeId ?? 0;
    if (nodeId === 0) {
      // Not part of a cluster: nothing that could be answered truly.
      connection.destroy();
      return;
    }
    this.#gateway ??= this.#open(nodeId);
    this.#gateway.attach(connection);
  }

  #open(nodeId: number): Gateway {
    const logger = this.#logger.child({ component: "direct" });
    this.#metaClient = createMetaClient({ secret: secretOf(this.#settings), logger });
    const gateway = new Gateway(
      directGatewayConfig(this.#settings, {
        nodeId,
        announceHost: this.#places.announceHost,
        announcePort: this.#places.announceDataPort,
        seed: this.#places.peerAddress,
        shown: [...shownSettings("node", this.#settings)],
      }),
      {
        clock: systemClock,
        scheduler: systemScheduler,
        random: new SystemRandom(),
        digest: systemDigest,
        network: this.#network,
        metaClient: this.#metaClient,
        logger,
      },
    );
    gateway.start((started) => {
      if (!started.ok) logger.error("direct_gateway_failed", { message: started.message });
    });
    return gateway;
  }

  async close(): Promise<void> {
    const gateway = this.#gateway;
    if (gateway !== null) await new Promise<void>((stopped) => gateway.stop(stopped));
    this.#metaClient?.close();
  }
}
