/**
 * The life of one process: ready, asked to stop, gone. A supervisor's channel that closes, a signal and a stop message all end it the same way, once;
 * it may take so long and no longer.
 */
import { isStopMessage, tellSupervisor } from "./child-protocol.ts";

const STOP_WITHIN_MS = 4500;
const LOOK_EVERY_MS = 20;

export interface Program {
  readonly isReady: () => boolean;
  readonly nodeId: () => number;
  readonly close: () => Promise<void>;
  /** Why it will never be ready; null: nothing is wrong. */
  readonly failure?: () => string | null;
}

/** Runs until told to stop; resolves with the exit code. */
export function runUntilStopped(program: Program): Promise<number> {
  return new Promise((finish) => {
    let stopping = false;
    const stop = (code: 0 | 1 = 0): void => {
      if (stopping) return;
      stopping = true;
      clearInterval(watch);
      const late = setTimeout(() => finish(1), STOP_WITHIN_MS);
      program.close().then(
        () => {
          clearTimeout(late);
          finish(code);
        },
        (error: unknown) => {
          clearTimeout(late);
          process.stderr.write(`headrace: stopping failed: ${String(error)}\n`);
          finish(1);
        },
      );
    };
    const watch = setInterval(() => {
      const failure = program.failure?.() ?? null;
      if (failure !== null) {
        process.stderr.write(`headrace: ${failure}\n`);
        tellSupervisor({ type: "failed", message: failure });
        return stop(1);
      }
      if (!program.isReady()) return;
      clearInterval(watch);
      tellSupervisor({ type: "ready", nodeId: program.nodeId() });
    }, LOOK_EVERY_MS);
    process.on("SIGTERM", () => stop());
    process.on("SIGINT", () => stop());
    process.on("SIGHUP", () => stop());
    // The supervisor is gone: nobody would ever stop this process.
    process.on("disconnect", () => stop());
    // It may have gone while this process was still starting; never forked, there is no such property.
    if ((process as { connected?: boolean }).connected === false) stop();
    process.on("message", (message) => {
      if (isStopMessage(message)) stop();
    });
  });
}
