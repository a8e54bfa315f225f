/**
 * The link between a gateway and a node's data port: lanes over one TCP connection. A lane is one client connection as a node sees it.
 * Requests and replies travel as raw RESP behind a small header; many requests in a frame, one write per node per turn.
 *
 * A connection to the data port whose first byte is 0x48 ('H', no RESP request begins so but an inline command; the full magic is "HRLK")
 * is a link; anything else is a client speaking RESP.
 *
 *   magic "HRLK" once, then frames (little-endian):
 *   u32 payloadBytes · u8 type · u8 flags · u16 shard · u32 lane · payload          (12 bytes of header)
 *
 * flags bit 0 (more): the payload goes on in the next frame of the same lane and type; frames are ≤ 64 KiB so that lanes interleave.
 *
 * ORDER. Requests are numbered per (lane, shard) from 1, reads too. Lane epochs are counted per (lane, shard) as well, from 1. Within an epoch
 * a node accepts a lane's requests for a shard only in number order without gaps; the first request of an epoch that it sees may have any
 * number above all earlier ones (numbers are never used twice, and go on when the shard's leader moves to another node: a lane has the same
 * id on every link of its gateway). After one Refuse the node refuses all later ones of that epoch; the gateway opens the next epoch (perhaps
 * on another node) when everything sent in the old one is answered, refused or lost. Replies and Lost of one (lane, shard) come in number
 * order; a Refuse may come while earlier requests are still unanswered, and covers its number and all later ones of its epoch.
 *
 * FATE. For each request exactly one of: Reply (answered) · Refuse (not executed, nothing happened, may be sent again) · Lost (executed or
 * not, nobody knows: leadership or link was lost). The gateway answers -UNCERTAIN for lost writes and repeats lost reads. A dead link loses
 * everything unanswered; one that ended with a Bye has refused it: a node that stops gives all that it has taken a fate first.
 *
 * payloads
 *   Hello       G→N  JSON {versions:[min,max], clusterId, gatewayId, incarnation, featureLevel, nonce}
 *   Challenge   N→G  JSON {version, clusterId, nodeId, incarnation, featureLevel, nonce, proof}
 *   Proof       G→N  JSON {proof}
 *   Welcome     N→G  JSON {laneCreditBytes, linkCreditBytes}          (or Reject with {reason})
 *   LaneOpen    G→N  u8 respVersion · u8 ack (255 = cluster default) · u16 0 · u32 clientId · f64 openedAtMs · 16 bytes session id
 *   LaneSet     G→N  u8 respVersion · u8 ack: from the next request on
 *   LaneClose   G→N  empty: client gone; blocked calls are dropped, writes go on
 *   Request     G→N  u32 laneEpoch · u32 placementEpoch · u32 count · u32 flags (1 = resend, 2 = used, bits 8–15 = mode) · f64 firstNumber · f64 lowestUnanswered ·
 *                    (resend only) f64 executedUpTo · (used only) f64 entries · f64 bytes · RESP. A resend is one blocked call whose fate is not known: it is executed only if the
 *                    session's last write in the state is not beyond executedUpTo, else answered -UNCERTAIN. A blocked call writes under its
 *                    number when it comes, and under its number + ½ when it is served. A mode other than 0 is one XREAD or XREADGROUP that is a
 *                    part of a read over several shards: see RequestMode and PARTS. Used is what earlier parts have taken of its MAXCOUNT and MAXSIZE.
 *                    An EXEC is one request that holds all that was queued (commands: transaction/shard-exec.ts)
 *   Reply       N→G  u32 laneEpoch · u32 count · f64 firstNumber · f64 writeTerm · f64 writeIndex (0 = no write) · RESP of `count` replies.
 *                    Never spans two Request frames.
 *   Refuse      N→G  u32 laneEpoch · u8 reason · u8[3] · f64 firstNumber · u32 leaderNodeId (0 unknown) · f64 term
 *   Lost        N→G  u32 laneEpoch · u32 count · f64 firstNumber
 *   Parked      N→G  u32 laneEpoch · u32 0 · f64 number · ids as text, a blank between two: the call `number` waits for entries. It has taken
 *                    nothing, and `$` and `+` in it stand for these ids, by which it is to be sent again if it has to be (none: as it was).
 *                    Not a fate: that still comes. Only from what is committed, and said by a leader that was one when the call came.
 *   Credit      N→G  u32 bytes (lane 0 = the link): more may be sent. Counted are the payloads of Request frames (32 + RESP), against the
 *                    lane and against the link; a gateway sends while both are above 0, so one request may overdraw. A node gives the bytes
 *                    back when it has taken the request out of its input queue, refused or dropped it. Replies are not credited: a gateway
 *                    always takes them, and closes a client over its output limit.
 *   Cancel      G→N  f64 number · u8 how (0 = drop silently, 1 = answer as timed out, 2 = answer -UNBLOCKED)
 *   Leader      N→G  u32 nodeId (0 = none) · f64 term: what this node believes about `shard`
 *   WaitQuery   G→N  u32 query · u32 replicas wanted · u8 kind (0 WAIT, 1 WAITAOF) · u8[3] · f64 term · f64 index · f64 timeoutMs (0 = ever)
 *                    term 0 = no write on this shard: count the replicas in contact
 *   WaitAnswer  N→G  u32 query · u8 outcome (0 counted, 1 uncertain, 2 not leader) · u8 localFsynced · u16 0 · u32 replicas
 *   WaitCancel  G→N  u32 query
 *   Push        N→G  RESP push for the lane's client
 *   Ping/Pong   both f64: echoed; liveness of the link
 *   Bye         N→G  empty, the last frame: what has no fate by now was not executed and never will be. The node stops
 *   Offer       N→G  f64 number · u32 offer: for the waiting part `number` there is something to take; it may come before Parked. Nobody behind it in its queues is served until
 *                    the offer is answered, void (100 ms), or the call is over
 *   OfferAnswer G→N  f64 number · u32 offer · u8 how (0 = accept: take now, 1 = decline: stay, without offers, 2 = resume: offers again; offer is 0)
 *   OfferVoid   N→G  f64 number · u32 offer: an accepted offer gave nothing (it was void, or others had taken everything); the part waits on
 *
 * PARTS of a read over several shards. The reply of a part is an error, a null when it has nothing, or
 *   *n  then for each of the part's streams a bulk with the stream's bytes of the reply in the lane's RESP version, or $-1
 *   *2  :k and an error: stream k of the part (from 0) is why. The first one in the caller's order is the call's answer
 *   Subscriptions      G→N  f64 number · {u8 kind (0 channel, 1 pattern, 2 shard channel) · u32 subscribers · u32 bytes · name} …: how many
 *                      clients of this gateway have subscribed to each name from now on (0 = none any more). Nothing is remembered over links.
 *                      Number 0: more follows, not to be answered
 *   SubscriptionsTaken N→G  f64 number: what was said up to there is known here, and counts for every PUBLISH from now on
 *   Message            N→G  f64 term · u8 kind (0 or 2) · u8[3] · u32 bytes · channel · message: once for each gateway with subscribers, from the
 *                      leader of `shard` in `term`. At most once; a gateway drops those of a lower term than it has seen of that shard, so what a
 *                      publisher sends to a channel keeps its order when the leader changes
 */
export const LINK_MAGIC: Uint8Array = Uint8Array.of(0x48, 0x52, 0x4c, 0x4b);
export const LINK_VERSION = 1;
export const FRAME_HEADER_BYTES = 12;
export const MAX_FRAME_PAYLOAD_BYTES = 64 * 1024;
export const FLAG_MORE = 1;

export const FrameType = {
  Hello: 1,
  Challenge: 2,
  Proof: 3,
  Welcome: 4,
  Reject: 5,
  LaneOpen: 6,
  LaneSet: 7,
  LaneClose: 8,
  Request: 9,
  Reply: 10,
  Refuse: 11,
  Lost: 12,
  Credit: 13,
  Cancel: 14,
  Leader: 15,
  WaitQuery: 16,
  WaitAnswer: 17,
  WaitCancel: 18,
  Push: 19,
  Ping: 20,
  Pong: 21,
  Bye: 22,
  Parked: 23,
  Offer: 30,
  OfferAnswer: 31,
  OfferVoid: 32,
  Subscriptions: 40,
  SubscriptionsTaken: 41,
  Message: 42,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** What a request is to its call: bits 8–15 of a Request's flags. */
export const RequestMode = {
  /** All of it. */
  whole: 0,
  /** Reads or takes the part's streams. */
  part: 1,
  /** XREADGROUP: looks for errors, changes nothing; +OK if there are none. */
  check: 2,
  /** A part of a call that may block: what is offered to somebody who waits is not for it. */
  partBehind: 3,
  /** XREADGROUP: creates the consumer and waits; takes only what was offered and accepted. */
  offered: 4,
} as const;
export type RequestMode = (typeof RequestMode)[keyof typeof RequestMode];

export const RefuseReason = {
  /** Not the leader of the shard; `leaderNodeId` may know it. */
  notLeader: 1,
  /** This node has no replica of the shard or the key's slot is not the shard's. */
  notOwner: 2,
  /** Leader, but not ready: electing, transferring, recovering. */
  notReady: 3,
  /** Too much uncommitted (I17): retry later. */
  overloaded: 4,
  /** An earlier request of this lane epoch was refused. */
  staleEpoch: 5,
  /** The node is stopping. */
  stopping: 6,
} as const;
export type RefuseReason = (typeof RefuseReason)[keyof typeof RefuseReason];

/** `ack` of LaneOpen/LaneSet: resolve by stream and cluster. */
export const ACK_DEFAULT = 255;
