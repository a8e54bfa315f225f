/** One client of a harness who asks with any bytes. */
import { asciiBytes, concatBytes } from "@headrace/bytes";
import { CommandHarness, type HarnessClient } from "./command-harness.ts";
import { replyText } from "./reply-text.ts";

export class BinaryShell {
  readonly harness: CommandHarness = new CommandHarness();
  readonly client: HarnessClient = this.harness.connect();

  /** The reply as it is on the wire. */
  ask(...words: readonly (string | Uint8Array)[]): Uint8Array {
    const parts = [asciiBytes(`*${words.length}\r\n`)];
    for (const word of words) {
      const bytes = typeof word === "string" ? asciiBytes(word) : word;
      parts.push(asciiBytes(`$${bytes.length}\r\n`), bytes, asciiBytes("\r\n"));
    }
    return this.harness.send(this.client, concatBytes(parts))[0]!.bytes!;
  }

  /** As redis-cli shows it. */
  text(...words: readonly (string | Uint8Array)[]): string {
    const reply = this.ask(...words);
    return replyText(reply, 0, reply.length);
  }

  /** What RESTORE takes. */
  dump(key: string): Uint8Array {
    const reply = this.ask("DUMP", key);
    return reply.slice(Buffer.from(reply).indexOf("\r\n") + 2, -2);
  }
}
