/** A peer's server as a child: started in a folder of its own, waited for until its port is open, ended with -9. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const OPEN_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 20;

export interface ServerChild {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Rejects when the process ends, or the port stays closed. */
export async function startServer(
  program: string,
  args: readonly string[],
  directory: string,
  port: number,
): Promise<ServerChild> {
  const child = spawn(program, args, { cwd: directory, stdio: ["ignore", "ignore", "ignore"] });
  let problem = "";
  child.once("error", (error) => (problem = error.message));
  child.once("exit", (code, signal) => (problem ||= `ended with ${signal ?? code}`));
  const giveUpMs = performance.now() + OPEN_WITHIN_MS;
  while (!(await isOpen(port))) {
    if (problem === "" && performance.now() > giveUpMs) problem = `does not listen on ${port}`;
    if (problem !== "") {
      await ended(child);
      throw new Error(`${program} ${args.join(" ")}: ${problem}`);
    }
    await pause(LOOK_EVERY_MS);
  }
  return { pid: child.pid!, stop: () => ended(child) };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((exit) => child.once("exit", exit));
  child.kill("SIGKILL");
  await gone;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      answer(true);
    });
    socket.once("error", () => answer(false));
  });
}

/** What `program --version` says, or null when it is not installed. */
export function versionOf(program: string, pattern: RegExp): string | null {
  try {
    const text = execFileSync(program, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    return pattern.exec(text)?.[1] ?? text.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
