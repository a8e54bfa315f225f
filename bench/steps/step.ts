/**
 * A step of the straight path, alone: work that is done again and again, on inputs that were made before. What a step is given is what the step before it in
 * the product makes.
 */
import { asciiBytes, concatBytes } from "@headrace/bytes";

/** Of one round: long enough to be timed, short enough that some rounds go undisturbed. */
export interface Step {
  /** Does the work of a round and answers of how many commands it was. */
  readonly run: () => number;
  /** What belongs to no command, between rounds. */
  readonly tidy: () => void;
}

/** In a turn of a busy shard, and in what it makes: an entry of the log, a frame. */
export const PER_TURN = 200;
export const VALUE_BYTES = 256;
export const LOG_TIME_MS = 1_800_000_000_000;

/** XADDs to one stream as a client pipelines them. */
export function xadds(count: number): Uint8Array {
  const value = "x".repeat(VALUE_BYTES);
  const one = `*5\r\n$4\r\nXADD\r\n$6\r\nstream\r\n$1\r\n*\r\n$1\r\nf\r\n$${VALUE_BYTES}\r\n${value}\r\n`;
  return concatBytes(Array.from({ length: count }, () => asciiBytes(one)));
}
