/** `headrace gateway`: one gateway in this process. */
import { createTcpNetwork } from "@headrace/transport";
import { tellSupervisor } from "./child-protocol.ts";
import { createLogger } from "./logger.ts";
import { runUntilStopped } from "./process-life.ts";
import { startGateway } from "./real-gateway.ts";
import type { Settings } from "./settings.ts";
import { setLateFlags } from "./v8-flags.ts";
import { lowerWorkerPriority } from "./worker-priority.ts";

export async function runGateway(settings: Settings): Promise<number> {
  setLateFlags();
  const logger = createLogger(settings["loglevel"] as string, { role: "gateway", pid: process.pid });
  lowerWorkerPriority(0, logger);
  try {
    const running = await startGateway(settings, createTcpNetwork({}), logger);
    return await runUntilStopped({
      isReady: () => running.gateway.isReady,
      nodeId: () => 0,
      close: () => running.close(),
    });
  } catch (error) {
    tellSupervisor({ type: "failed", message: (error as Error).message });
    throw error;
  }
}
