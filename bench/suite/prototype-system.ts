/** The bare prototype (`bench/system/prototype.ts`) as a system of the suite: the ceiling that the design was measured with. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Prototype, PROTOTYPE_PORT } from "../system/prototype.ts";
import type { System } from "./system.ts";

/** `source`: its folder, or null when it is not to be measured. */
export function prototypeSystem(source: string | null): System {
  return {
    name: "prototype",
    what: "a bare prototype of the path: three nodes and a gateway, no elections, gates, checkpoints or shards",
    find: () =>
      source === null || !existsSync(join(source, "node.mjs"))
        ? { missing: "no folder was given with --prototype" }
        : { version: "-" },
    start: async () => {
      const prototype = new Prototype(source!);
      try {
        await prototype.start();
      } catch (error) {
        await prototype.stop();
        prototype.remove();
        throw error;
      }
      return {
        port: PROTOTYPE_PORT,
        directory: prototype.folder,
        processes: () => prototype.processes(),
        clear: () => Promise.resolve(),
        stop: async () => {
          await prototype.stop();
          prototype.remove();
        },
      };
    },
  };
}
