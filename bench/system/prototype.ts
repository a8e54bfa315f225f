/**
 * The bare prototype of the hot path (no elections, gates, checkpoints or shards), as a ceiling to measure beside. It is not part of this project:
 * `--prototype DIR` names where it lies. It is copied to a temporary folder, because it wants its library and its logs beside itself.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const PROTOTYPE_PORT = 7960;

export class Prototype {
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];

  constructor(source: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "prototype-"));
    cpSync(source, this.#folder, { recursive: true });
    symlinkSync(fileURLToPath(new URL("../../node_modules", import.meta.url)), join(this.#folder, "node_modules"));
  }

  get folder(): string {
    return this.#folder;
  }

  /** Followers, leader, gateway. */
  processes(): { readonly name: string; readonly pid: number }[] {
    const names = ["node 2", "node 3", "leader", "gateway"];
    return this.#children.map(({ pid }, i) => ({ name: names[i]!, pid: pid! }));
  }

  async start(): Promise<void> {
    this.#run("node.mjs", "1", "0", "7962");
    this.#run("node.mjs", "2", "0", "7963");
    this.#run("node.mjs", "0", "7961", "7964", "7962,7963");
    await listening(7961);
    this.#run("gateway.mjs", String(PROTOTYPE_PORT), "7961");
    await listening(PROTOTYPE_PORT);
    // Its followers dial once a 100 ms until the leader is there; one round answered means that they are in.
    await pause(1500);
  }

  #run(script: string, ...args: string[]): void {
    this.#children.push(
      spawn(process.execPath, [script, ...args], {
        cwd: this.#folder,
        env: { ...process.env, DSYNC: "1", RAFT: "grpc2" },
        stdio: "ignore",
      }),
    );
  }

  async stop(): Promise<void> {
    for (const child of this.#children.splice(0)) {
      const gone = new Promise((exit) => child.once("exit", exit));
      child.kill("SIGKILL");
      await gone;
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const open = await new Promise<boolean>((answer) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.once("connect", () => {
        socket.destroy();
        answer(true);
      });
      socket.once("error", () => answer(false));
    });
    if (open) return;
    await pause(50);
  }
  throw new Error(`nothing listens on port ${port}`);
}
