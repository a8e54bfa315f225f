/** Types one case of a fixture into a fresh harness; answers what is seen. */
import { CommandHarness } from "./command-harness.ts";
import type { HarnessClient } from "./command-harness.ts";
import { replyText } from "./reply-text.ts";
import { HandleNames, shownReply } from "./transcript.ts";
import type { TranscriptCase } from "./transcript.ts";

export function runCase(each: TranscriptCase, version: 2 | 3): string {
  const harness = new CommandHarness();
  const clients = new Map<string, HarnessClient>();
  const names = new Map<HarnessClient, string>();
  const seen: string[] = [];
  const handles = new HandleNames();
  for (const { client: name, command } of each.lines) {
    let client = clients.get(name);
    if (client === undefined) {
      client = harness.connect();
      client.session.respVersion = version;
      clients.set(name, client);
      names.set(client, name);
    }
    for (const reply of harness.type(client, handles.typed(command))) {
      const text = reply.bytes === null ? "(blocked)" : replyText(reply.bytes, 0, reply.bytes.length);
      seen.push(handles.shown(shownReply(names.get(reply.client) ?? "?", text)));
    }
  }
  return seen.join("\n");
}
