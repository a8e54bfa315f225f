/** One gateway on the real world: the twin of the simulator's wiring. */
import { randomBytes } from "node:crypto";
import { arch, release, totalmem, type } from "node:os";
import { utf8Bytes } from "@headrace/bytes";
import { defaultLimits, Gateway, type GatewayConfig } from "@headrace/gateway";
import type { ByteNetwork, Logger } from "@headrace/ports";
import { createMetaClient, formatHostPort } from "@headrace/transport";
import { serveAdmin, type AdminHttp } from "./admin-http.ts";
import { shownSettings } from "./configuration.ts";
import { StartError } from "./data-directory.ts";
import { completed } from "./done-promise.ts";
import { gatewayMetrics } from "./metrics.ts";
import { secretOf, seedsOf } from "./node-places.ts";
import type { Settings } from "./settings.ts";
import { systemClock, systemScheduler } from "./system-clock.ts";
import { systemDigest, SystemRandom } from "./system-random.ts";
import { HEADRACE_VERSION } from "./version.ts";

export interface RunningGateway {
  readonly gateway: Gateway;
  close(): Promise<void>;
}

/** Listens and serves; rejects with a StartError when it can't. Ready is later: see `gateway.isReady`. */
export async function startGateway(settings: Settings, network: ByteNetwork, logger: Logger): Promise<RunningGateway> {
  const host = settings["host"] as string;
  const port = settings["port"] as number;
  const metaClient = createMetaClient({ secret: secretOf(settings), logger: logger.child({ component: "meta" }) });
  const gateway = new Gateway(
    {
      ...sharedConfig(settings),
      policy: "proxy",
      listenAddress: formatHostPort(host, port),
      announceHost: (settings["announce-host"] as string | null) ?? (host === "0.0.0.0" ? "127.0.0.1" : host),
      announcePort: (settings["announce-port"] as number | null) ?? port,
      localNodeId: 0,
      seedAddresses: seedsOf(settings),
      extraSettings: [...shownSettings("gateway", settings)],
    },
    {
      clock: systemClock,
      scheduler: systemScheduler,
      random: new SystemRandom(),
      digest: systemDigest,
      network,
      metaClient,
      logger,
    },
  );
  await completed<void>("", (done) => gateway.start(done));
  let admin: AdminHttp;
  try {
    admin = await serveAdmin(host, settings["http-port"] as number, {
      metrics: gatewayMetrics(gateway),
      unreadyReasons: () => (gateway.isReady ? [] : ["not every shard has a leader that can be reached"]),
      status: () => ({ ready: gateway.isReady, ...gateway.gauges() }),
    });
  } catch (error) {
    await new Promise<void>((stopped) => gateway.stop(stopped));
    metaClient.close();
    throw new StartError((error as Error).message);
  }
  return {
    gateway,
    close: async () => {
      await new Promise<void>((stopped) => gateway.stop(stopped));
      metaClient.close();
      await admin.close();
    },
  };
}

/** The gateway inside a node, for clients that talk to the node itself. */
export function directGatewayConfig(
  settings: Settings,
  node: {
    readonly nodeId: number;
    readonly announceHost: string;
    readonly announcePort: number;
    readonly seed: string;
    readonly shown: readonly (readonly [string, string])[];
  },
): GatewayConfig {
  return {
    ...sharedConfig(settings),
    policy: "moved",
    listenAddress: null,
    announceHost: node.announceHost,
    announcePort: node.announcePort,
    localNodeId: node.nodeId,
    seedAddresses: [node.seed],
    extraSettings: node.shown,
  };
}

type SharedConfig = Omit<
  GatewayConfig,
  "policy" | "listenAddress" | "announceHost" | "announcePort" | "localNodeId" | "seedAddresses" | "extraSettings"
>;

function sharedConfig(settings: Settings): SharedConfig {
  const secret = secretOf(settings);
  const maxBulkBytes = settings["proto-max-bulk-len"] as number;
  const numberOr = (name: string, fallback: number): number => (settings[name] as number | undefined) ?? fallback;
  return {
    gatewayId: randomBytes(20).toString("hex"),
    incarnation: Date.now(),
    secret: secret === null ? null : utf8Bytes(secret),
    processId: process.pid,
    runId: randomBytes(20).toString("hex"),
    headraceVersion: HEADRACE_VERSION,
    processNumbers: () => {
      const memory = process.memoryUsage();
      const cpu = process.cpuUsage();
      return {
        operatingSystem: `${type()} ${release()} ${arch()}`,
        executable: process.execPath,
        usedMemoryBytes: memory.heapUsed + memory.external,
        usedMemoryRssBytes: memory.rss,
        systemMemoryBytes: totalmem(),
        cpuUserSeconds: cpu.user / 1e6,
        cpuSystemSeconds: cpu.system / 1e6,
      };
    },
    limits: {
      ...defaultLimits,
      maxClients: numberOr("maxclients", defaultLimits.maxClients),
      holdMs: numberOr("hold-ms", defaultLimits.holdMs),
      replyTimeoutMs: numberOr("reply-timeout-ms", defaultLimits.replyTimeoutMs),
      transactionBytes: numberOr("max-transaction-bytes", defaultLimits.transactionBytes),
      clusterEnabled: settings["cluster-enabled"] === true,
      output: {
        ...defaultLimits.output,
        normal: {
          ...defaultLimits.output.normal,
          hardBytes: numberOr("client-output-buffer-limit", defaultLimits.output.normal.hardBytes),
        },
      },
      decoder: { ...defaultLimits.decoder, maxBulkBytes },
    },
  };
}
