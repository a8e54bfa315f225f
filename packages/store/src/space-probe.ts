/** The SpaceProbe port: asks the file system that the data directory is on. A quota does not show here, only when a write meets it. */
import { statfs } from "node:fs";
import type { SpaceProbe } from "@headrace/ports";

export function openSpaceProbe(directory: string): SpaceProbe {
  return {
    freeBytes: (done) => {
      statfs(directory, (error, found) => {
        if (error !== null) return done({ ok: false, reason: "io", message: error.message });
        // What root may use beyond `bavail` is not for us.
        done({ ok: true, value: found.bavail * found.bsize });
      });
    },
  };
}
