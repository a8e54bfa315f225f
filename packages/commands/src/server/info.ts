/** INFO [section …]: which sections are asked for. What stands in them is in info-sections.ts. */
import { Flag } from "../command.ts";
import { defineCommand } from "../record.ts";
import { INFO_SECTIONS } from "./info-sections.ts";

export const info = defineCommand({
  name: "info",
  arity: -1,
  flags: Flag.loading | Flag.stale,
  since: "1.0.0",
  group: "server",
  summary: "Get information and statistics about the server",
  complexity: "O(1)",
  syntax: "[section [section ...]]",
  categories: ["dangerous"],
  tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
  answer({ request, reply, services }) {
    const wanted = new Set<string>();
    for (let i = 1; i < request.count; i++) wanted.add(request.latin1(i).toLowerCase());
    if (wanted.size === 0) wanted.add("default");
    const numbers = services.info();
    const parts: string[] = [];
    for (const section of INFO_SECTIONS) {
      const name = section.title.toLowerCase();
      const isNamed = wanted.has(name) || wanted.has("everything") || wanted.has("all");
      if (!isNamed && !(section.byDefault && wanted.has("default"))) continue;
      parts.push([`# ${section.title}`, ...section.lines(numbers, services), ""].join("\r\n"));
    }
    reply.verbatim(parts.join("\r\n"));
  },
});
