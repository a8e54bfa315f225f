/**
 * Tickets of a set, each put in once: one is drawn by at most one SPOP, whatever happens to leaders; one that was drawn or moved is in the set no more for whoever
 * looks later; and in the end every ticket whose SADD was acknowledged at ack=all is in one of the two sets, or was drawn, or may have been by somebody who
 * got no answer.
 */
import { MOVED, TICKETS } from "../set-work.ts";
import type { Operation } from "../sim-client.ts";
import { isCommittedLevel, isDoubtful, isRefused } from "./reading.ts";

interface Final {
  readonly tickets: readonly string[];
  readonly moved: readonly string[];
}

export interface SetsReport {
  readonly drawn: number;
  readonly moved: number;
  readonly looks: number;
}

/** The two sets are as a quiet reader finds them at the end. Throws on the first contradiction. */
export function checkSets(
  operations: readonly Operation[],
  [tickets = [], moved = []]: readonly (readonly string[])[],
): SetsReport {
  const final = { tickets, moved };
  const about = operations.filter(({ args }) => args[1] === TICKETS || args[1] === MOVED);
  const adds = about.filter(({ args }) => args[0] === "SADD");
  const draws = about.filter(({ args }) => args[0] === "SPOP");
  const moves = about.filter(({ args }) => args[0] === "SMOVE");
  const looks = about.filter(({ args, reply }) => args[0] === "SMEMBERS" && Array.isArray(reply));
  const taken = checkDraws(draws);
  checkOrigins([...final.tickets, ...final.moved, ...taken.keys()], adds);
  checkLooks(looks, taken);
  checkEnd(final, taken);
  checkNothingLost(adds, draws, moves, final, taken);
  const movedCount = moves.filter(({ reply }) => reply === 1).length;
  return { drawn: taken.size, moved: movedCount, looks: looks.length };
}

/** Who was drawn, and by which operation. SPOP hands out data: its reply waits for commit at every level. */
function checkDraws(draws: readonly Operation[]): ReadonlyMap<string, Operation> {
  const taken = new Map<string, Operation>();
  for (const draw of draws) {
    if (typeof draw.reply !== "string") continue;
    const other = taken.get(draw.reply);
    if (other !== undefined) throw new Error(`${draw.reply} was drawn by ${other.client} and by ${draw.client}`);
    taken.set(draw.reply, draw);
  }
  return taken;
}

function checkOrigins(members: readonly string[], adds: readonly Operation[]): void {
  const possible = new Set(adds.filter((add) => !isRefused(add)).map(({ args }) => args[2]!));
  const stranger = members.find((member) => !possible.has(member));
  if (stranger !== undefined) throw new Error(`${stranger} is a member, and nobody can have added it`);
}

/** Whoever looks when a draw had been answered does not see who was drawn: tickets are put in once. */
function checkLooks(looks: readonly Operation[], taken: ReadonlyMap<string, Operation>): void {
  for (const look of looks) {
    for (const member of look.reply as readonly string[]) {
      const draw = taken.get(member);
      if (draw !== undefined && draw.completedStep < look.invokedStep)
        throw new Error(
          `${member} had been drawn by ${draw.client}, and ${look.client} saw it in ${look.args[1]} later`,
        );
    }
  }
}

function checkEnd(final: Final, taken: ReadonlyMap<string, Operation>): void {
  const all = [...final.tickets, ...final.moved];
  const drawn = all.find((member) => taken.has(member));
  if (drawn !== undefined) throw new Error(`${drawn} was drawn, and is a member at the end`);
  if (new Set(all).size < all.length) throw new Error("a ticket is in both sets: half an SMOVE");
}

function checkNothingLost(
  adds: readonly Operation[],
  draws: readonly Operation[],
  moves: readonly Operation[],
  final: Final,
  taken: ReadonlyMap<string, Operation>,
): void {
  const there = new Set([...final.tickets, ...final.moved]);
  const lost = adds
    .filter((add) => add.reply === 1 && isCommittedLevel(add))
    .map(({ args }) => args[2]!)
    .filter((member) => !there.has(member) && !taken.has(member));
  const doubtful = draws.filter(isDoubtful).length;
  if (lost.length > doubtful) {
    throw new Error(
      `${lost.length} tickets are gone (${lost[0]!} …), but only ${doubtful} draws are without an answer`,
    );
  }
  const inTickets = new Set(final.tickets);
  const back = moves.find((move) => move.reply === 1 && isCommittedLevel(move) && inTickets.has(move.args[3]!));
  if (back !== undefined) throw new Error(`${back.args[3]!} was moved for ${back.client}, and is where it was before`);
}
