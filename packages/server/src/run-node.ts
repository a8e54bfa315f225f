/** `headrace node`: one storage node in this process. */
import { createTcpNetwork } from "@headrace/transport";
import { tellSupervisor } from "./child-protocol.ts";
import { createLogger } from "./logger.ts";
import { runUntilStopped } from "./process-life.ts";
import { startNode } from "./real-node.ts";
import type { Settings } from "./settings.ts";
import { setLateFlags } from "./v8-flags.ts";
import { lowerWorkerPriority } from "./worker-priority.ts";

export async function runNode(settings: Settings): Promise<number> {
  setLateFlags();
  const logger = createLogger(settings["loglevel"] as string, { role: "node", pid: process.pid });
  lowerWorkerPriority(settings["memory"] as number, logger);
  try {
    const running = await startNode(settings, createTcpNetwork({}), logger);
    return await runUntilStopped({
      isReady: () => running.node.readiness().ready || running.node.isSetAside,
      failure: () => running.node.restorationFailure,
      nodeId: () => running.node.nodeId,
      close: () => running.close(),
    });
  } catch (error) {
    tellSupervisor({ type: "failed", message: (error as Error).message });
    throw error;
  }
}
