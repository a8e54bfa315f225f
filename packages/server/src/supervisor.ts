/**
 * Runs child processes for `headrace up`: starts them, starts them again when they die, stops them together. Knows nothing of what they do.
 */
import { fork, type ChildProcess } from "node:child_process";
import { mkdirSync, openSync, closeSync } from "node:fs";
import { dirname } from "node:path";
import { isChildMessage, type StopMessage } from "./child-protocol.ts";

export interface ChildSpec {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  readonly v8Flags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Standard output and error are appended here. */
  readonly logPath: string;
}

export interface SupervisorEvents {
  /** First `ready` of each run of the child. */
  onReady(name: string, nodeId: number): void;
  /** The set of pids has changed. */
  onPids(): void;
  /** A child gave up during the start phase, or said so itself. */
  onFailed(name: string, message: string): void;
}

const RESTART_AFTER_MS = 1000;

interface Child {
  readonly spec: ChildSpec;
  process: ChildProcess | null;
  restartTimer: NodeJS.Timeout | null;
  /** The last line it said before it failed. */
  failure: string | null;
}

export class Supervisor {
  readonly #children: Map<string, Child> = new Map();
  readonly #events: SupervisorEvents;
  readonly #restart: boolean;
  #stopping = false;

  constructor(options: { readonly restart: boolean }, events: SupervisorEvents) {
    this.#restart = options.restart;
    this.#events = events;
  }

  start(spec: ChildSpec): void {
    const child: Child = { spec, process: null, restartTimer: null, failure: null };
    this.#children.set(spec.name, child);
    this.#spawn(child);
  }

  pid(name: string): number {
    return this.#children.get(name)?.process?.pid ?? 0;
  }

  #spawn(child: Child): void {
    const { spec } = child;
    mkdirSync(dirname(spec.logPath), { recursive: true });
    const log = openSync(spec.logPath, "a");
    // Not the supervisor's own execArgv: its debugger or loader is not the child's.
    const running = fork(spec.script, spec.args, {
      execArgv: [...spec.v8Flags],
      stdio: ["ignore", log, log, "ipc"],
      env: { ...process.env, ...spec.environment },
    });
    closeSync(log);
    child.process = running;
    child.failure = null;
    running.on("message", (message) => {
      if (!isChildMessage(message)) return;
      if (message.type === "ready") this.#events.onReady(spec.name, message.nodeId);
      else child.failure = message.message;
    });
    running.on("error", (error) => {
      child.failure = error.message;
    });
    running.on("exit", (code, signal) => this.#exited(child, running, code, signal));
    this.#events.onPids();
  }

  #exited(child: Child, running: ChildProcess, code: number | null, signal: string | null): void {
    if (child.process !== running) return;
    child.process = null;
    this.#events.onPids();
    if (this.#stopping) return;
    if (child.failure !== null) this.#events.onFailed(child.spec.name, child.failure);
    else this.#events.onFailed(child.spec.name, signal === null ? `exited with code ${code}` : `killed by ${signal}`);
    if (this.#stopping || !this.#restart) return;
    child.restartTimer = setTimeout(() => {
      child.restartTimer = null;
      this.#spawn(child);
    }, RESTART_AFTER_MS);
  }

  /** Asks the named children to stop, kills them after `graceMs`. Resolves when all are gone. */
  async stop(names: readonly string[], message: StopMessage, graceMs: number): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      names.map(async (name) => {
        const child = this.#children.get(name);
        if (child === undefined) return;
        if (child.restartTimer !== null) clearTimeout(child.restartTimer);
        const running = child.process;
        if (running === null || running.exitCode !== null) return;
        await new Promise<void>((resolve) => {
          const kill = setTimeout(() => running.kill("SIGKILL"), graceMs);
          running.once("exit", () => {
            clearTimeout(kill);
            resolve();
          });
          if (running.connected) {
            running.send(message, (error) => {
              if (error !== null) running.kill("SIGTERM");
            });
          } else running.kill("SIGTERM");
        });
      }),
    );
  }
}
