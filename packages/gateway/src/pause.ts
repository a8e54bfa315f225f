/** CLIENT PAUSE: until its end requests of all clients wait here, all of them or those that may write. What a client sends behind one waits too. */
import { copyOf } from "@headrace/bytes";
import { exec, Flag } from "@headrace/commands";
import type { CommandRecord } from "@headrace/commands";
import type { Scheduler, Timer } from "@headrace/ports";
import type { Request } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";

interface Held {
  readonly client: ClientConnection;
  readonly bytes: Uint8Array;
}

/** No write by its flags, and yet others may see what it does. */
const WRITE_LIKE: ReadonlySet<string> = new Set(["publish", "spublish"]);

export class Pause {
  /** Looked at for every command. */
  isOn: boolean = false;
  readonly #scheduler: Scheduler;
  readonly #release: (client: ClientConnection, bytes: Uint8Array) => void;
  #writesOnly: boolean = true;
  #untilMs: number = 0;
  #timer: Timer | null = null;
  #held: Held[] = [];

  /** `release`: the request goes on, whole and canonical. */
  constructor(scheduler: Scheduler, release: (client: ClientConnection, bytes: Uint8Array) => void) {
    this.#scheduler = scheduler;
    this.#release = release;
  }

  /** As in Redis, a pause that is on is only made longer and stricter. */
  begin(nowMs: number, untilMs: number, writesOnly: boolean): void {
    this.#writesOnly = writesOnly && (!this.isOn || this.#writesOnly);
    this.#untilMs = this.isOn ? Math.max(this.#untilMs, untilMs) : untilMs;
    this.isOn = true;
    this.#timer?.cancel();
    this.#timer = this.#scheduler.after(Math.max(0, this.#untilMs - nowMs), () => this.end());
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.isOn = false;
    const held = this.#held;
    this.#held = [];
    for (const { client, bytes } of held) {
      if (client.isGone) continue;
      client.barrier = false;
      client.session.blocked = false;
      this.#release(client, bytes);
    }
  }

  holds(record: CommandRecord, client: ClientConnection): boolean {
    if (!this.#writesOnly || (record.flags & Flag.write) !== 0 || WRITE_LIKE.has(record.name)) return true;
    return record === exec && client.session.transaction.hasWrites;
  }

  hold(client: ClientConnection, request: Request): void {
    client.closeRun();
    client.barrier = true;
    client.session.blocked = true;
    this.#held.push({ client, bytes: copyOf(request.bytes, request.rawStart, request.rawEnd) });
  }
}
