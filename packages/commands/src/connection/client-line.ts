/**
 * One client as CLIENT LIST and CLIENT INFO print it. Redis' fields in Redis' order; those without a meaning here are 0, and there is none beside
 * them: some clients refuse names that they do not know.
 */
import type { Session } from "../command.ts";
import { ChannelKind, isSubscriber } from "../pubsub/channel-kind.ts";

export function clientLine(session: Session, wallMs: number): string {
  const ageSeconds = wholeSeconds(wallMs - session.createdAtMs);
  const idleSeconds = wholeSeconds(wallMs - session.lastActiveAtMs);
  const { transaction, subscriptions } = session;
  const memory = session.queryBufferBytes + session.outputBufferBytes;
  return (
    `id=${session.id} addr=${session.address} laddr=${session.localAddress} fd=0 name=${session.name} ` +
    `age=${ageSeconds} idle=${idleSeconds} flags=${flagsOf(session)} db=0 sub=${subscriptions.count(ChannelKind.channel)} ` +
    `psub=${subscriptions.count(ChannelKind.pattern)} ssub=${subscriptions.count(ChannelKind.shardChannel)} ` +
    `multi=${transaction.isOpen ? transaction.queuedCount : -1} ` +
    `watch=${transaction.watchedCount} qbuf=${session.queryBufferBytes} qbuf-free=0 argv-mem=0 multi-mem=${transaction.bytes} rbs=0 rbp=0 obl=0 oll=0 ` +
    `omem=${session.outputBufferBytes} tot-mem=${memory} events=r cmd=${session.lastCommand} user=default redir=-1 ` +
    `resp=${session.respVersion} lib-name=${session.libraryName} lib-ver=${session.libraryVersion} io-thread=0 ` +
    `tot-net-in=${session.inputBytes} tot-net-out=${session.outputBytes} tot-cmds=${session.commandCount}`
  );
}

/** Redis' letters in Redis' order. */
function flagsOf(session: Session): string {
  let flags = session.monitors ? "O" : "";
  if (isSubscriber(session.subscriptions)) flags += "P";
  if (session.transaction.isOpen) flags += "x";
  if (session.blocked) flags += "b";
  if (session.closing) flags += "c";
  if (session.noEvict) flags += "e";
  if (session.noTouch) flags += "T";
  return flags === "" ? "N" : flags;
}

function wholeSeconds(durationMs: number): number {
  return Math.max(0, Math.floor(durationMs / 1000));
}
