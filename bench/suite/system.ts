/** What can be put under load: Headrace in one of its shapes, or a peer. Each is started by the suite, and ended by it. */

export interface NamedProcess {
  readonly name: string;
  readonly pid: number;
}

export interface RunningSystem {
  /** For clients. */
  readonly port: number;
  /** On the disk that it writes to. */
  readonly directory: string;
  /** As they are now. */
  processes(): readonly NamedProcess[];
  /** Everything that was written goes. */
  clear(): Promise<void>;
  /** Where it can be: kills its processes with -9, starts them again on their files, resolves with the first writes that they take. */
  restart?(): Promise<{ readonly tookMs: number }>;
  /** Ends its processes and removes its files. */
  stop(): Promise<void>;
}

export interface System {
  readonly name: string;
  /** What it is, with its flags: as a reader of the results must know it. */
  readonly what: string;
  /** Its version, or why it cannot be measured here. */
  find(): { readonly version: string } | { readonly missing: string };
  start(): Promise<RunningSystem>;
}
