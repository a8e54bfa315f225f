/** Our own version, from the one place that has it. */
import manifest from "../package.json" with { type: "json" };

export const HEADRACE_VERSION: string = manifest.version;
