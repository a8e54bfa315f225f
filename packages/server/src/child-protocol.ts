/**
 * What a supervisor and its children say to each other over the child's IPC channel. The channel is also the leash: when it closes, the
 * supervisor is dead and the child stops.
 */
export type ChildMessage =
  /** Serving. `nodeId` once it is known (nodes only). */
  | { readonly type: "ready"; readonly nodeId: number }
  /** Cannot start or go on, and why, in one line. The child exits by itself. */
  | { readonly type: "failed"; readonly message: string };

export interface StopMessage {
  readonly type: "stop";
  /** False when the whole cluster stops: there is nobody to hand leadership to. */
  readonly handOver: boolean;
}

/** Tells the supervisor, if there is one. */
export function tellSupervisor(message: ChildMessage): void {
  process.send?.(message, undefined, undefined, () => {
    // The supervisor may be gone already; the 'disconnect' event is what ends this process then.
  });
}

export function isChildMessage(value: unknown): value is ChildMessage {
  const type = (value as { type?: unknown } | null)?.type;
  return type === "ready" || type === "failed";
}

export function isStopMessage(value: unknown): value is StopMessage {
  return (value as { type?: unknown } | null)?.type === "stop";
}
