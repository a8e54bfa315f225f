/**
 * The bytes of effects: what stands in the log, travels to followers and is read by `EffectApplier`. Little-endian, version byte first.
 *
 *   batch   u8 formatVersion = 1 · u8 kind = 1 · u16 reserved · f64 logTimeMs · u32 effectCount · effects…
 *   effect  u8 type · u8 version = 1 · u16 reserved · u32 bodyBytes · body
 *
 * Bodies (string = u32 length + latin1 bytes, id = four u32: ms high, ms low, seq high, seq low; ids = u32 count + that many id):
 *
 *   append         string key · u32 regionBytes · region · u32 count · id column (16 each) · length column (u32 each: bit 31 = opens a
 *                  stream node, bit 30 = opens a storage block, bits 0–29 = bytes of the entry in the region) ·
 *                  u16 sessions · session (16 each) · u32 originRuns · {u16 session index (0xffff none) · f64 first sequence · u32 count}
 *   origin         16 bytes session · f64 sequence
 *   createStream, deleteKey                string key
 *   trim           string key · u8 keepsNone · id firstKept
 *   deleteEntries  string key · ids
 *   setStreamId    string key · id last · f64 entriesAdded · id maxDeleted
 *   createGroup, setGroupId                string key · string group · id lastDelivered · f64 entriesRead
 *   destroyGroup                           string key · string group
 *   createConsumer string key · string group · string consumer · f64 timeMs
 *   deleteConsumer string key · string group · string consumer
 *   touchConsumer  string key · string group · string consumer · f64 seenMs · f64 activeMs (< 0: keep)
 *   deliver        string key · string group · string consumer · id upTo · f64 entriesRead · f64 timeMs · u8 noAck
 *   redeliver      string key · string group · string consumer · f64 timeMs · ids (no longer written: an id each made entries of any size)
 *   acknowledge    string key · string group · ids
 *   claim          string key · string group · string consumer · ids · f64 time each · f64 count each
 *   advanceGroup   string key · string group · id lastDelivered
 *   flush          nothing
 *   redeliverRange string key · string group · string consumer · f64 timeMs · id from · id to: what the consumer has pending there and what
 *                  still has a body; pending ids and tombstones are resident, so every replica finds the same
 *   trimByPolicy   string key · u8 policy · id upTo: entries up to it, with policy 1 and all that groups still have of them pending, with policy 2
 *                  only those that no group still needs. Groups and tombstones are resident, so every replica finds the same
 *   dropReferences string key · ids: no group has them pending any more
 *   giveBack       string key · string group · ids · f64 count each: pending for nobody, in this order
 *   recordIid      string key · string producer · string iid · id of the entry
 *   countDuplicate string key
 *   configureIdempotence   string key · u32 seconds · u32 iids at most
 *   setStreamAck   string key · u8 level (255: none of its own)
 *   setStreamRetention     string key · own bounds (retention.ts)
 *   setGroupRetry  string key · string group · retry (group-settings.ts)
 *   setConsumerIdle        string key · string group · f64 consumerIdleMs (0: they stay)
 *   handBackConsumer       string key · string group · string consumer: deleted, and all that it has pending is pending for nobody, in the order of ids
 *   setDeadLetters string key · string group · dead letters (group-settings.ts)
 *   giveUp         item of the outbox (outbox-item.ts), a letter: its entry is pending no more
 *   putOutbox      item of the outbox
 *   settleOutbox   u32 count · f64 number each: items that are where they were to go
 *   takeOutbox     u16 target's slot · u16 sender's slot · f64 number: what came under it from another shard is taken
 *   setGroupMaxLag         string key · string group · max lag (back-pressure.ts)
 *   setStreamLimits        string key · stream limits (back-pressure.ts)
 *   delayEntry     string key · f64 dueMs · trim (append-trim.ts) · u32 elements · u32 bytes · the client's RESP of the fields: it gets the shard's next
 *                  age as its number
 *   releaseDelayed string key · f64 number · id · u32 flags (bit 31 = opens a stream node, bit 30 = opens a storage block): the entry appears. What is
 *                  delayed is resident, so every replica has its fields
 *   cancelDelayed  string key · f64 number
 *   recordDelayedIid       string key · string producer · string iid · f64 number of the delayed entry: as recordIid, at this log time
 *   setExpiry      string key · f64 atMs (−1: does not expire)
 *   expireKey      u16 slot · f64 place: that key's time is over. By place and not by name, so that it is small whatever the name
 *   renameKey      string key · string name: who had that name is removed
 *   putStream      string key · f64 expiresAtMs (−1: does not) · stream image (stream-image.ts) to the end: replaces what the key held
 *   putValue       string key · f64 expiresAtMs (−1: does not) · value image (value-image.ts) to the end: replaces what the key held
 *   setString      string key · f64 expiresAtMs (−1: does not) · bytes to the end: replaces what the key held
 *   replaceString  string key · bytes to the end: of a string, whose expiry stays, or of a free key
 *   writeString    string key · u32 offset · bytes to the end: over what is there, behind zeros if the string (or a free key) ends before
 *   putFields      string key · u32 seed of the hash that is made if there is none · {field · value} each (field-record.ts) to the end, one after the other
 *   removeFields   string key · {varint length · field} each to the end: the hash goes with the last one
 *   pushList       string key · u8 left · elements (list-leaf.ts) to the end: one after the other, onto a list or a free key
 *   cutList        string key · u32 left · u32 right: so many elements go at each end; with the last one the key
 *   setListElement, insertListElement      string key · u32 index · element to the end: in its place, in front of it
 *   removeListElements     string key · u8 fromRight · u32 count · element to the end: the first or last ones that are it; with the last one the key
 *   putScores      string key · u32 count · {f64 score · varint length · member} each: of a sorted set, or of a free key
 *   storeScores    the same: replaces what the key held
 *   removeScores   string key · u32 count · {varint length · member} each: members of a sorted set; with the last one the key goes
 *   removeRanks    string key · u32 from · u32 to: members of a sorted set with ranks from … to − 1; with the last one the key goes
 *   addMembers     string key · u32 seed of the set that is made if there is none · members: {varint length · bytes}… to the end
 *   removeMembers  string key · members, as in addMembers: the set goes with the last one
 *   keepMembers    string key · members, as in addMembers: the set holds no others, and begins anew with them
 *   storeMembers   string key · u32 seed · u8 1: an intset as long as its members allow it · members, as in addMembers: replaces what the key held
 *
 * Effects that say by position what they mean; those of the same name above are older, and no longer written. Which entry has which id is asked
 * of the leader alone, so that a replica applies them whatever of the stream is in its memory. Block numbers and entries as in block.ts; entries =
 * entry-runs.ts, id list = id-list.ts; place = u32 block (0: nowhere, and nothing follows) · u32 entry · its id; end = u8 1 if the stream's last block now
 * ends earlier, since dead entries at its end make room, and then u32 entries · u32 bytes · u32 opens · u32 digest of opens · u32 CRC-32 · id of its last:
 *
 *   deliverListed  string key · string group · string consumer · id upTo · f64 entriesRead · f64 timeMs · u8 noAck · id list (when not noAck)
 *   remove         string key · u8 moves max deleted · id maxDeleted if so · entries · end
 *   cut            string key · place where the stream then begins · end
 *   cutWithReferences   string key · id upTo · place · id list per group, sorted by name: pending up to there and staying so · end
 *   redeliverListed     string key · string group · string consumer · f64 timeMs · id from · id to · id list: those in it that have no body
 *   moveLastId     string key · id last · f64 entriesAdded · id maxDeleted · end
 *
 * The first effect of a batch is preceded by what its log time alone changes: every stream forgets the iids that are too old by then.
 * The region stands in front of its columns because entries are encoded straight into it while the run is still growing.
 */
export const BATCH_FORMAT_VERSION = 1;
export const BATCH_KIND_EFFECTS = 1;
export const EFFECT_VERSION = 1;

/** Length column of the append effect. */
export const OPENS_NODE = 0x8000_0000;
export const OPENS_BLOCK = 0x4000_0000;
export const LENGTH_MASK = 0x3fff_ffff;

export const SESSION_BYTES = 16;
export const NO_SESSION = 0xffff;

/** Numbers are for ever: a new meaning gets a new number or a new version. */
export const EffectType = {
  append: 1,
  origin: 2,
  createStream: 3,
  trim: 4,
  deleteEntries: 5,
  deleteKey: 6,
  setStreamId: 7,
  createGroup: 8,
  setGroupId: 9,
  destroyGroup: 10,
  createConsumer: 11,
  deleteConsumer: 12,
  touchConsumer: 13,
  deliver: 14,
  redeliver: 15,
  acknowledge: 16,
  claim: 17,
  advanceGroup: 18,
  flush: 19,
  redeliverRange: 20,
  trimByPolicy: 21,
  dropReferences: 22,
  giveBack: 23,
  deliverListed: 24,
  remove: 25,
  cut: 26,
  cutWithReferences: 27,
  redeliverListed: 28,
  moveLastId: 29,
  recordIid: 30,
  countDuplicate: 31,
  configureIdempotence: 32,
  setStreamAck: 33,
  setExpiry: 40,
  expireKey: 41,
  renameKey: 42,
  putStream: 43,
  setStreamRetention: 50,
  setGroupRetry: 51,
  setConsumerIdle: 52,
  handBackConsumer: 53,
  setDeadLetters: 54,
  giveUp: 55,
  putOutbox: 56,
  settleOutbox: 57,
  takeOutbox: 58,
  setGroupMaxLag: 60,
  setStreamLimits: 61,
  delayEntry: 65,
  releaseDelayed: 66,
  cancelDelayed: 67,
  recordDelayedIid: 68,
  putValue: 70,
  setString: 71,
  replaceString: 72,
  writeString: 73,
  putFields: 74,
  removeFields: 75,
  pushList: 80,
  cutList: 81,
  setListElement: 82,
  insertListElement: 83,
  removeListElements: 84,
  putScores: 90,
  storeScores: 91,
  removeScores: 92,
  removeRanks: 93,
  addMembers: 85,
  removeMembers: 86,
  keepMembers: 87,
  storeMembers: 88,
} as const;
export type EffectType = (typeof EffectType)[keyof typeof EffectType];

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(EffectType));

export function isKnownEffect(type: number): boolean {
  return KNOWN_TYPES.has(type);
}

/** `setStreamAck`: the stream has no level of its own. */
export const NO_STREAM_ACK = 255;
