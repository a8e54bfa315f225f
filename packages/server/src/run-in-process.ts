/** `headrace up --in-process`: gateway and nodes in one process, linked without sockets; the nodes still talk gRPC to each other. */
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createTcpNetwork } from "@headrace/transport";
import { writeClusterFile } from "./cluster-file.ts";
import { finishRestoring, StartError } from "./data-directory.ts";
import { createLogger } from "./logger.ts";
import { runUntilStopped } from "./process-life.ts";
import { startGateway, type RunningGateway } from "./real-gateway.ts";
import { startNode, type RunningNode } from "./real-node.ts";
import type { Settings } from "./settings.ts";
import { nodeLayouts, prepareUp, readyLine } from "./up.ts";
import { setLateFlags } from "./v8-flags.ts";
import { lowerWorkerPriority } from "./worker-priority.ts";

export async function runInProcess(given: Settings): Promise<number> {
  setLateFlags();
  const settings = await prepareUp(given);
  const layouts = nodeLayouts(settings);
  const seeds = layouts.map((layout) => `127.0.0.1:${layout.grpcPort}`);
  const logger = createLogger(settings["loglevel"] as string, { role: "all", pid: process.pid });
  lowerWorkerPriority(settings["memory"] as number, logger);
  const network = createTcpNetwork({});
  const nodes: RunningNode[] = [];
  let gateway: RunningGateway | null = null;
  const close = async (): Promise<void> => {
    await gateway?.close();
    await Promise.all(nodes.map((running) => running.close()));
  };
  try {
    for (const layout of layouts) {
      const own: Settings = {
        ...settings,
        bind: "127.0.0.1",
        data: layout.directory,
        "data-port": layout.dataPort,
        "grpc-port": layout.grpcPort,
        "http-port": layout.httpPort,
        "announce-host": null,
        "announce-port": null,
        "announce-grpc-port": null,
        seeds,
        "bootstrap-expect": layouts.length,
      };
      nodes.push(await startNode(own, network, logger.child({ instance: `node-${layout.id}` })));
    }
    gateway = await startGateway(
      { ...settings, "announce-host": null, "announce-port": null, seeds },
      network,
      logger.child({ instance: "gateway" }),
    );
  } catch (error) {
    await close();
    throw error;
  }
  const running = gateway;
  const ended = runUntilStopped({ isReady: () => running.gateway.isReady, nodeId: () => 0, close });
  while (!running.gateway.isReady || !nodes.every((node) => node.node.readiness().ready)) {
    const failure = nodes.map((node) => node.node.restorationFailure).find((each) => each !== null) ?? null;
    if (failure !== null) {
      await close();
      throw new StartError(failure);
    }
    await pause(10);
  }
  if (settings["restore"] !== null) finishRestoring(resolve(settings["data"] as string));
  writeClusterFile(resolve(settings["data"] as string), {
    gateways: [{ pid: process.pid, port: settings["port"] as number, httpPort: settings["http-port"] as number }],
    nodes: layouts.map((layout) => ({
      id: layout.id,
      pid: process.pid,
      dataPort: layout.dataPort,
      grpcPort: layout.grpcPort,
      httpPort: layout.httpPort,
      dir: layout.directory,
    })),
  });
  process.stdout.write(readyLine(settings));
  return ended;
}
