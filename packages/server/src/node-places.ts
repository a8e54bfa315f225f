/** From settings to addresses: what a node binds, and what others call it. */
import { formatHostPort, isLoopbackHost } from "@headrace/transport";
import { UsageError } from "./configuration.ts";
import { StartError } from "./data-directory.ts";
import type { Settings } from "./settings.ts";

export interface NodePlaces {
  readonly bindHost: string;
  readonly dataBindAddress: string;
  readonly peerBindAddress: string;
  readonly httpPort: number;
  /** How nodes, gateways and clients reach this node. */
  readonly announceHost: string;
  readonly announceDataPort: number;
  readonly peerAddress: string;
}

export function nodePlaces(settings: Settings): NodePlaces {
  const bindHost = settings["bind"] as string;
  const dataPort = settings["data-port"] as number;
  const grpcPort = settings["grpc-port"] as number;
  const announceHost = (settings["announce-host"] as string | null) ?? bindHost;
  if (!isLoopbackHost(bindHost) && settings["cluster-secret"] === null) {
    throw new StartError(
      `--bind ${bindHost} is not loopback: set HEADRACE_CLUSTER_SECRET to the cluster's shared secret, or bind 127.0.0.1`,
    );
  }
  if (announceHost === "0.0.0.0" || announceHost === "::") {
    throw new UsageError(`--announce-host: with --bind ${bindHost} say by which name others reach this node`);
  }
  return {
    bindHost,
    dataBindAddress: formatHostPort(bindHost, dataPort),
    peerBindAddress: formatHostPort(bindHost, grpcPort),
    httpPort: settings["http-port"] as number,
    announceHost,
    announceDataPort: (settings["announce-port"] as number | null) ?? dataPort,
    peerAddress: formatHostPort(announceHost, (settings["announce-grpc-port"] as number | null) ?? grpcPort),
  };
}

export function seedsOf(settings: Settings): readonly string[] {
  const seeds = settings["seeds"] as readonly string[] | null;
  if (seeds === null || seeds.length === 0) {
    throw new UsageError("--seeds: name at least one node as host:grpc-port");
  }
  return seeds;
}

export function secretOf(settings: Settings): string | null {
  return (settings["cluster-secret"] as string | null) ?? null;
}
