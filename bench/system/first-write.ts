/** When a system that was started takes writes: asked on connections of their own, again and again, until each of some keys has taken one. */
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const PROBES = ["{0}", "{1}", "{2}", "{3}", "{4}"].map((tag) => `probe:${tag}`);
const ASK_EVERY_MS = 10;
const DOLLAR = 36;

/** Resolves when all of the keys took a write; each holds one entry then. Asks for as long as it takes. */
export async function firstWrites(port: number): Promise<void> {
  await Promise.all(PROBES.map((key) => firstWrite(port, key)));
}

async function firstWrite(port: number, key: string): Promise<void> {
  while (!(await succeeds(port, key))) await pause(ASK_EVERY_MS);
}

function succeeds(port: number, key: string): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const end = (good: boolean): void => {
      socket.destroy();
      answer(good);
    };
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
    socket.once("data", (reply: Buffer) => end(reply[0] === DOLLAR));
    socket.write(
      `*7\r\n$4\r\nXADD\r\n$${key.length}\r\n${key}\r\n$6\r\nMAXLEN\r\n$1\r\n1\r\n$1\r\n*\r\n$1\r\nf\r\n$1\r\nv\r\n`,
    );
  });
}
