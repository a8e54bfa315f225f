/**
 * Limits of lag (XGROUP SETMAXLAG) from what clients saw, on streams of their own (`p1` …) from which nobody removes anything: nobody ever sees the group
 * farther behind than its limit, whoever leads; what was refused is not there, what was answered is, once, held or not; and a client's writes stand in
 * the order in which it sent them.
 */
import type { ErrorReply } from "../reply-value.ts";
import type { Operation } from "../sim-client.ts";
import { lagIn, PRESSED } from "../pressure-work.ts";
import { compareIds, type Entry, isCommittedLevel, isRefused, payloadOf } from "./reading.ts";

export interface PressureView {
  readonly entries: readonly Entry[];
  /** How far the group is behind. */
  readonly lag: number;
}

/** Throws on the first contradiction. Answers how often the group was seen at its limit. */
export function checkPressure(operations: readonly Operation[], views: ReadonlyMap<string, PressureView>): number {
  let atLimit = 0;
  for (const { name, maxLag } of PRESSED) {
    const view = views.get(name)!;
    if (view.lag > maxLag) throw new Error(`${name} is ${view.lag} entries ahead of its group, the limit is ${maxLag}`);
    for (const { args, reply, client } of operations) {
      if (args[0] !== "XINFO" || args[2] !== name || !Array.isArray(reply)) continue;
      const lag = lagIn(reply);
      if (lag > maxLag)
        throw new Error(`${client} saw ${name} ${lag} entries ahead of its group, the limit is ${maxLag}`);
      if (lag === maxLag) atLimit++;
    }
    const adds = operations.filter(({ args }) => args[0] === "XADD" && args[1] === name);
    checkEntries(name, adds, view.entries);
    checkOrder(name, adds);
  }
  return atLimit;
}

function checkEntries(stream: string, adds: readonly Operation[], entries: readonly Entry[]): void {
  const ids = new Map<string, string>();
  for (const [id, [, payload]] of entries) {
    const other = ids.get(payload!);
    if (other !== undefined) throw new Error(`${stream}: ${payload!} is there twice, at ${other} and at ${id}`);
    ids.set(payload!, id);
  }
  for (const add of adds) {
    const { reply } = add;
    const id = ids.get(payloadOf(add));
    if (isRefused(add) && id !== undefined)
      throw new Error(`${stream} ${payloadOf(add)} was refused (${(reply as ErrorReply).text}), but is at ${id}`);
    if (typeof reply !== "string") continue;
    if (id === undefined && isCommittedLevel(add))
      throw new Error(`${stream} ${reply} was acknowledged to its writer, and is lost`);
    if (id !== undefined && id !== reply)
      throw new Error(`${stream}: ${payloadOf(add)} was answered with ${reply}, but is at ${id}`);
  }
}

/** Of what one connection sent, as far as it was answered. Writes of a lower level may be lost, and their ids given again. */
function checkOrder(stream: string, adds: readonly Operation[]): void {
  const last = new Map<string, Operation>();
  const sent = [...adds].sort((a, b) => a.invokedStep - b.invokedStep);
  for (const add of sent) {
    if (typeof add.reply !== "string" || !isCommittedLevel(add)) continue;
    const connection = `${add.client} ${add.connection}`;
    const before = last.get(connection);
    if (
      before !== undefined &&
      compareIds(before.reply as string, add.reply) >= 0 &&
      before.invokedStep < add.invokedStep
    )
      throw new Error(
        `${stream}: ${connection} sent ${payloadOf(before)} first, but it stands at ${before.reply as string} behind ${add.reply}`,
      );
    last.set(connection, add);
  }
}
