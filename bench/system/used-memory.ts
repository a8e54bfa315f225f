/** What a process uses after everything that is garbage was collected: what it holds, not what it once touched. */
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { ask } from "../load/ask.ts";
import { signal } from "@headrace/testkit";

/** Where Node's inspector listens when SIGUSR1 asks for it. */
const INSPECTOR = "http://127.0.0.1:9229/json/list";
const OPEN_WITHIN_MS = 10_000;

/** Of a redis-server: bytes that its allocator has given out. */
export async function redisUsedBytes(port: number): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await ask(port, ["INFO", "memory"]))![1]);
}

/** Of a node process: its heap and what is outside of it, through its inspector. One process at a time: the inspector has one port. */
export class NodeMemory {
  readonly #socket: WebSocket;
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  static async open(pid: number): Promise<NodeMemory> {
    signal(pid, "SIGUSR1");
    const giveUpMs = performance.now() + OPEN_WITHIN_MS;
    for (;;) {
      const url = await debuggerUrl();
      if (url !== null) {
        const socket = new WebSocket(url);
        await once(socket, "open");
        return new NodeMemory(socket);
      }
      if (performance.now() > giveUpMs) throw new Error(`process ${pid} opens no inspector on ${INSPECTOR}`);
      await pause(20);
    }
  }

  async usedBytes(): Promise<number> {
    // What the first one finds to be garbage may have kept more from being collected.
    for (let i = 0; i < 3; i++) await this.#call("HeapProfiler.collectGarbage", {});
    const expression = "process.memoryUsage().heapUsed + process.memoryUsage().external";
    const { result } = (await this.#call("Runtime.evaluate", { expression })) as { result: { value: number } };
    return result.value;
  }

  close(): void {
    this.#socket.close();
  }

  #call(method: string, params: object): Promise<unknown> {
    const id = ++this.#calls;
    return new Promise((answered, failed) => {
      const onMessage = ({ data }: MessageEvent): void => {
        const answer = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
        if (answer.id !== id) return;
        this.#socket.removeEventListener("message", onMessage);
        if (answer.error === undefined) answered(answer.result);
        else failed(new Error(`${method}: ${answer.error.message}`));
      };
      this.#socket.addEventListener("message", onMessage);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }
}

async function debuggerUrl(): Promise<string | null> {
  try {
    const [target] = (await (await fetch(INSPECTOR)).json()) as { webSocketDebuggerUrl: string }[];
    return target?.webSocketDebuggerUrl ?? null;
  } catch (error) {
    if ((error as Error).message === "fetch failed") return null;
    throw error;
  }
}
