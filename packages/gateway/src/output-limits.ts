/**
 * client-output-buffer-limit: how much a client may leave unread before it is closed. `hard` at once, `soft` when it stays above for so long;
 * 0 = no bound. Redis' form, Redis' class names; there are no replicas among the clients.
 */
import { parseMemory } from "@headrace/meta";

export interface OutputLimit {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

export interface OutputLimits {
  normal: OutputLimit;
  slave: OutputLimit;
  pubsub: OutputLimit;
}

const MIB = 1024 * 1024;

export const defaultOutputLimits: Readonly<OutputLimits> = {
  normal: { hardBytes: 256 * MIB, softBytes: 0, softSeconds: 0 },
  slave: { hardBytes: 256 * MIB, softBytes: 64 * MIB, softSeconds: 60 },
  pubsub: { hardBytes: 32 * MIB, softBytes: 8 * MIB, softSeconds: 60 },
};

const NORMAL_LEAST_BYTES = 64 * 1024;
const CLASSES = ["normal", "slave", "pubsub"] as const;

export function outputLimitsText(limits: OutputLimits): string {
  return CLASSES.map((name) => {
    const { hardBytes, softBytes, softSeconds } = limits[name];
    return `${name} ${hardBytes} ${softBytes} ${softSeconds}`;
  }).join(" ");
}

/** The limits with the classes that the text names changed; or CONFIG SET's reason against it. */
export function parseOutputLimits(limits: OutputLimits, text: string): OutputLimits | string {
  const words = text.split(/\s+/).filter((word) => word !== "");
  if (words.length === 0 || words.length % 4 !== 0) return "Wrong number of arguments in buffer limit configuration.";
  const changed = { ...limits };
  for (let i = 0; i < words.length; i += 4) {
    const word = words[i]!.toLowerCase();
    const name = CLASSES.find((known) => known === (word === "replica" ? "slave" : word));
    if (name === undefined) return "Invalid client class specified in buffer limit configuration.";
    const hardBytes = parseMemory(words[i + 1]!);
    const softBytes = parseMemory(words[i + 2]!);
    if (hardBytes === null || softBytes === null || !/^\d{1,9}$/.test(words[i + 3]!)) {
      return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    }
    if (name === "normal" && hardBytes < NORMAL_LEAST_BYTES) {
      return `the hard limit of class normal must be at least ${NORMAL_LEAST_BYTES} bytes: output is always bounded here`;
    }
    changed[name] = { hardBytes, softBytes, softSeconds: Number(words[i + 3]) };
  }
  return changed;
}
