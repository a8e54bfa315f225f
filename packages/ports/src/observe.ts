import type { Done } from "./result.ts";

/** Structured logs. `event` is stable snake_case; never payloads. */
export interface Logger {
  debug(event: string, fields?: Record<string, unknown>): void;
  info(event: string, fields?: Record<string, unknown>): void;
  warn(event: string, fields?: Record<string, unknown>): void;
  error(event: string, fields?: Record<string, unknown>): void;
  child(fields: Record<string, unknown>): Logger;
}

/**
 * A small file that must be whole or absent: identity and founding records. `write` replaces by rename and is durable when it completes.
 */
export interface RecordStore {
  read(name: string, done: Done<Uint8Array | null>): void;
  write(name: string, content: Uint8Array, done: Done<void>): void;
}
