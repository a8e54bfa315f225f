/**
 * Clients in MONITOR: each gets a line for each command that this process takes. What a command costs without any of them is one comparison. A
 * monitor that does not read is closed at a bound of its own.
 */
import { bytesOf } from "@headrace/bytes";
import { monitorLine } from "@headrace/commands";
import type { CommandRecord } from "@headrace/commands";
import type { Request } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";

/** Unsent lines of one monitor. */
const OUTPUT_MAX_BYTES = 16 * 1024 * 1024;

export class Monitors {
  /** Looked at for every command. */
  isAny: boolean = false;
  readonly #clients: Set<ClientConnection> = new Set();
  readonly #wallMs: () => number;

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  /** The session of the client says whether it is one. */
  follow(client: ClientConnection): void {
    if (client.session.monitors === this.#clients.has(client)) return;
    if (client.session.monitors) this.#clients.add(client);
    else this.#clients.delete(client);
    this.isAny = this.#clients.size > 0;
  }

  /** It is gone. */
  forget(client: ClientConnection): void {
    this.#clients.delete(client);
    this.isAny = this.#clients.size > 0;
  }

  show(record: CommandRecord, request: Request, from: ClientConnection): void {
    const line = monitorLine(record, request, from.session.address, this.#wallMs());
    if (line === null) return;
    const bytes = bytesOf(`+${line}\r\n`);
    for (const client of Array.from(this.#clients)) {
      client.append(bytes, 0, bytes.length);
      if (client.outputBytes > OUTPUT_MAX_BYTES) client.closeOverLimit();
    }
  }
}
