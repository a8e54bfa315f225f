/** `<data>/cluster.json`: who runs where, for tests, scripts and people. Replaced by rename, so a reader never sees half of it. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface GatewayPlace {
  readonly pid: number;
  readonly port: number;
  readonly httpPort: number;
}

export interface NodePlace {
  readonly id: number;
  readonly pid: number;
  readonly dataPort: number;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly dir: string;
}

export interface ClusterFile {
  readonly gateways: readonly GatewayPlace[];
  readonly nodes: readonly NodePlace[];
}

export function writeClusterFile(directory: string, content: ClusterFile): void {
  const path = join(directory, "cluster.json");
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}
