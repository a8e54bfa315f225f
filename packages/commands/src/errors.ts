/**
 * The catalogue of error texts, exactly as Redis sends them (code word first, no `-`). Clients and test suites match on these bytes; nobody
 * else spells one. Source: redis t_stream.c, server.c, networking.c, timeout.c; see docs/divergence.md where versions differ.
 */
export const Errors = {
  syntax: "ERR syntax error",
  uncertain: "UNCERTAIN The fate of this write is unknown: it may or may not have been executed",
  notInteger: "ERR value is not an integer or out of range",
  noSuchKey: "ERR no such key",
  wrongType: "WRONGTYPE Operation against a key holding the wrong kind of value",
  notPositive: "ERR value is out of range, must be positive",
  indexOutOfRange: "ERR index out of range",
  rankZero:
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
  rankOutOfRange: "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
  matchCountNegative: "ERR COUNT can't be negative",
  maxLengthNegative: "ERR MAXLEN can't be negative",
  popCountNotPositive: "ERR count should be greater than 0",
  notInt32: "ERR value is out of range, value must between -2147483648 and 2147483647",
  notFloat: "ERR value is not a valid float",
  scoreNotNumber: "ERR resulting score is not a number (NaN)",
  scoreRange: "ERR min or max is not a float",
  lexRange: "ERR min or max not valid string range item",
  zaddNxAndXx: "ERR XX and NX options at the same time are not compatible",
  zaddGtLtNx: "ERR GT, LT, and/or NX options at the same time are not compatible",
  zaddIncrOnePair: "ERR INCR option supports a single increment-element pair",
  limitWithoutRange: "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
  withScoresByLex: "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
  weightNotFloat: "ERR weight value is not a float",
  outOfRange: "ERR value is out of range",
  notInt64: "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
  hashNotInteger: "ERR hash value is not an integer",
  hashNotFloat: "ERR hash value is not a float",
  valueNotFinite: "ERR value is NaN or Infinity",
  notFinite: "ERR increment would produce NaN or Infinity",
  incrementOverflows: "ERR increment or decrement would overflow",
  decrementOverflows: "ERR decrement would overflow",
  offsetOutOfRange: "ERR offset is out of range",
  stringTooLong: "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
  lcsLengthAndIndexes: "ERR If you want both the length and indexes, please just use IDX.",
  lcsNoString: "ERR The specified keys must contain string values",
  lcsTooLarge: "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
  bitOffset: "ERR bit offset is not an integer or out of range",
  bitValue: "ERR bit is not an integer or out of range",
  bitArgument: "ERR The bit argument must be 1 or 0.",
  /** Headrace's own: Redis would run until its memory is full. */
  tooManyRandomMembers: "ERR the reply would be too large",
  notSafeNegative: "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
  numKeysNotPositive: "ERR numkeys should be greater than 0",
  cardinalityLimitNegative: "ERR LIMIT can't be negative",
  bitopNot: "ERR BITOP NOT must be called with a single source key.",
  bitfieldType: "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
  bitfieldOverflow: "ERR Invalid OVERFLOW type specified",
  bitfieldReadOnly: "ERR BITFIELD_RO only supports the GET subcommand",
  sameObject: "ERR source and destination objects are the same",
  invalidFirstDatabase: "ERR invalid first DB index",
  invalidSecondDatabase: "ERR invalid second DB index",
  expireNxWithOthers: "ERR NX and XX, GT or LT options at the same time are not compatible",
  expireGtAndLt: "ERR GT and LT options at the same time are not compatible",
  noFrequencies:
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
  busyKey: "BUSYKEY Target key name already exists.",
  restoreTtl: "ERR Invalid TTL value, must be >= 0",
  restoreIdleTime: "ERR Invalid IDLETIME value, must be >= 0",
  restoreFrequency: "ERR Invalid FREQ value, must be >= 0 and <= 255",
  badDumpFooter: "ERR DUMP payload version or checksum are wrong",
  badDump: "ERR Bad data format",
  invalidCursor: "ERR invalid cursor",
  databaseOutOfRange: "ERR DB index is out of range",
  timeoutNotInteger: "ERR timeout is not an integer or out of range",
  timeoutNotFloat: "ERR timeout is not a float or out of range",
  timeoutNegative: "ERR timeout is negative",
  timeoutOutOfRange: "ERR timeout is out of range",
  noProto: "NOPROTO unsupported protocol version",
  protocolNotInteger: "ERR Protocol version is not an integer or out of range",
  authWithoutPassword:
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
  wrongPass: "WRONGPASS invalid username-password pair or user is disabled.",
  clientName: "ERR Client names cannot contain spaces, newlines or special characters.",
  clientAck: "ERR ack must be 0, 1, ALL or DEFAULT",
  ackOption: "ERR ACK must be 0, 1 or ALL",
  streamAck: "ERR ACK must be 0, 1, ALL or DEFAULT",
  invalidClientId: "ERR Invalid client ID",
  unblockReason: "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
  unblocked: "UNBLOCKED client unblocked via CLIENT UNBLOCK",
  /** Headrace's own: what changes on other shards and gateways would not be told. */
  clientTracking: "ERR client side caching is not supported: CLIENT TRACKING can only be turned OFF",
  cachingWithoutTracking:
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
  redirectNotFound: "ERR The client ID you want redirect to does not exist",
  noSuchClient: "ERR No such client",
  killId: "ERR client-id should be greater than 0",
  killMaxAge: "ERR maxage is not an integer or out of range",
  killMaxAgeNotPositive: "ERR maxage should be greater than 0",
  pauseMode: "ERR CLIENT PAUSE mode must be WRITE or ALL",
  slowLogCount: "ERR count should be greater than or equal to -1",
  /** Headrace's own: what this process is a part of has no one master. */
  replicaOf: "ERR REPLICAOF not allowed: shards are replicated by Headrace itself",
  noShutdown: "ERR No shutdown in progress.",
  /** Headrace's own. */
  shutdown: "ERR SHUTDOWN is not for clients: stop the process with SIGTERM, it hands over its shards first",
  debug:
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
  module:
    'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
  noConfigFile: "ERR The server is running without a config file",
  aclGenPass:
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
  /** Headrace's own. */
  aclUsers: "ERR ACL SETUSER is not supported: there is one user, 'default', who may do everything",
  aclDefaultUser: "ERR The 'default' user cannot be removed",
  aclNoFile:
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.",
  /** Headrace's own. */
  scripting: "ERR scripts and functions are not supported",
  noScript: "NOSCRIPT No matching script. Please use EVAL.",
  notBusy: "NOTBUSY No scripts in execution right now.",
  scriptFlush: "ERR SCRIPT FLUSH only support SYNC|ASYNC option",
  scriptDebug: "ERR Use SCRIPT DEBUG YES/SYNC/NO",
  functionFlush: "ERR FUNCTION FLUSH only supports SYNC|ASYNC option",
  functionPolicy: "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
  functionLibraryName: "ERR library name argument was not given",
  functionNotFound: "ERR Function not found",
  libraryNotFound: "ERR Library not found",
  tooManyKeys: "ERR Number of keys can't be greater than number of args",
  negativeKeys: "ERR Number of keys can't be negative",
  invalidSlot: "ERR Invalid slot",
  invalidSlotOrCount: "ERR Invalid slot or number of keys",
  invalidCommand: "ERR Invalid command specified",
  noKeyArguments: "ERR The command has no key arguments",
  invalidArguments: "ERR Invalid number of arguments specified for command",
  invalidArgumentsForKeys: "ERR Invalid arguments specified for command",

  invalidStreamId: "ERR Invalid stream ID specified as stream command argument",
  invalidStart: "ERR invalid start ID for the interval",
  invalidEnd: "ERR invalid end ID for the interval",
  idZero: "ERR The ID specified in XADD must be greater than 0-0",
  idNotGreaterThanTop: "ERR The ID specified in XADD is equal or smaller than the target stream top item",
  idsExhausted: "ERR The stream has exhausted the last possible ID, unable to add more items",
  bothTrimStrategies: "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
  maxLenNegative: "ERR The MAXLEN argument must be >= 0.",
  limitNegative: "ERR The LIMIT argument must be >= 0.",
  limitWithoutStrategy: "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
  limitWithoutTilde: "ERR syntax error, LIMIT cannot be used without the special ~ option",
  trimWithoutStrategy: "ERR syntax error, XTRIM must be called with a trimming strategy",
  iidTwice: "ERR syntax error, IDMP/IDMPAUTO specified multiple times",
  iidAutoProducer: "ERR syntax error, IDMPAUTO requires a non-empty producer ID",
  iidProducer: "ERR syntax error, IDMP requires a non-empty producer ID",
  iidGivenEmpty: "ERR syntax error, IDMP requires a non-empty idempotent ID",
  iidNeedsAutoId: "ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs",
  delayTwice: "ERR syntax error, DELAY/AT specified multiple times",
  delayNegative: "ERR The DELAY and AT arguments must be >= 0.",
  delayNeedsAutoId: "ERR syntax error, DELAY/AT can be used only with auto-generated IDs",
  delayTooLong: "ERR an entry can be delayed by 31622400000 milliseconds (366 days) at most",
  invalidHandle: "ERR Invalid handle of a delayed entry",
  idempotenceDuration: "ERR IDMP-DURATION must be between 1 and 86400 seconds",
  idempotenceMaxSize: "ERR IDMP-MAXSIZE must be between 1 and 10000 entries",
  retentionBound: "ERR a retention must be between 0 and 9007199254740991, or DEFAULT",
  /** Headrace's own, as those of stream-wide settings around them. */
  retryMinIdle: "ERR MIN-IDLE must be between 1 and 281474976710655 milliseconds",
  consumerIdle: "ERR the idle time must be between 1 and 281474976710655 milliseconds, or OFF",
  retryFactor: "ERR BACKOFF must be a factor between 1 and 1000",
  retryMax: "ERR MAX must be between MIN-IDLE and 281474976710655 milliseconds",
  deadLetterRetries: "ERR MAX_RETRIES must be between 1 and 4294967295",
  deadLetterNameless: "ERR a dead-letter stream needs a name that is not empty",
  deadLetterSelf: "ERR a stream can't be its own dead-letter stream",
  deadLetterCycle: "ERR dead letters of that stream lead back to this one",
  noDeadLetters: "ERR this consumer group has no dead-letter stream",
  backPressureVersion: "ERR CLIENT BACKPRESSURE pushes messages, which needs RESP3: switch with HELLO 3 first",
  maxLagEntries: "ERR the limit must be between 1 and 9007199254740991 entries, or OFF",
  maxLagPolicy: "ERR POLICY must be REJECT or DELAY",
  maxLagHold: "ERR MAX must be between 1 and 3600000 milliseconds",
  maxLagHoldPolicy: "ERR MAX is for POLICY DELAY only",
  maxLagBytes: "ERR MAXLAG-BYTES must be between 1 and 9007199254740991, or OFF",
  retentionKeep: "ERR RETENTION-KEEP must be NONE, UNACKED or DEFAULT",
  noParameter: "ERR At least one parameter must be specified",
  producerEmpty: "ERR producer ID must be non-empty",
  iidEmpty: "ERR idempotent ID must be non-empty",
  noSuchMessage: "ERR No such message in stream",
  iidOfAnother: "ERR IID already exists for this producer with a different stream ID",
  groupOnlyReadGroup: "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
  noAckOnlyReadGroup: "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
  claimOnlyReadGroup: "ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.",
  readMinIdle: "ERR min-idle-time is not an integer or out of range",
  readMinIdleNegative: "ERR min-idle-time must be a positive integer",
  maxCountNotPositive: "ERR MAXCOUNT must be a positive integer",
  maxSizeNotPositive: "ERR MAXSIZE must be a positive integer",
  maxCountBelowCount: "ERR MAXCOUNT must be greater than or equal to COUNT",
  missingGroup: "ERR Missing GROUP option for XREADGROUP",
  unbalancedRead: "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.",
  unbalancedReadGroup:
    "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
  dollarInReadGroup:
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
  plusInReadGroup:
    "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.",
  newIdWithoutGroup:
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
  busyGroup: "BUSYGROUP Consumer Group name already exists",
  groupNeedsKey:
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
  entriesReadNegative: "ERR value for ENTRIESREAD must be positive or -1",
  entriesAddedNegative: "ERR entries_added must be positive",
  setIdBelowGivenDeleted: "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
  setIdBelowDeleted: "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
  setIdBelowTop: "ERR The ID specified in XSETID is smaller than the target stream top item",
  entriesAddedBelowLength: "ERR The entries_added specified in XSETID is smaller than the target stream length",
  claimMinIdle: "ERR Invalid min-idle-time argument for XCLAIM",
  autoClaimMinIdle: "ERR Invalid min-idle-time argument for XAUTOCLAIM",
  claimIdle: "ERR Invalid IDLE option argument for XCLAIM",
  claimTime: "ERR Invalid TIME option argument for XCLAIM",
  claimRetryCount: "ERR Invalid RETRYCOUNT option argument for XCLAIM",
  idCountNotPositive: "ERR Number of IDs must be a positive integer",
  idCountMismatch: "ERR The `numids` parameter must match the number of arguments",
  idsMissing: "ERR IDS option is required",
  nackMode: "ERR mode must be SILENT, FAIL, or FATAL",
  nackIdsKeyword: "ERR syntax error, expected IDS keyword",
  nackIdCount: "ERR numids must be a positive integer",
  nackIdCountMismatch: "ERR number of IDs doesn't match numids",
  nackRetryCount: "ERR Invalid RETRYCOUNT value, must be >= 0",
  /** Headrace's own: Redis has no bound of this kind. */
  tooLargeForEntry: "ERR the request is too large for one log entry",
  /** Headrace's own, in the style of Redis' MISCONF texts. Nothing has happened. */
  outOfMemory: "OOM command not allowed when used memory > 'maxmemory'.",
  /** Headrace's own: more of what has left memory than may be brought back for one command. */
  tooMuchAtOnce: "OOM command needs more entries in memory at once than 'maxmemory' allows, ask for fewer (COUNT).",
  noSpace:
    "MISCONF Headrace keeps a reserve of disk space, and this shard's leader is below it. Commands that may grow the data set are refused until there is space again. Please check the Headrace logs for details.",
  crossSlot: "CROSSSLOT Keys in request don't hash to the same slot",
  nestedMulti: "ERR MULTI calls can not be nested",
  execWithoutMulti: "ERR EXEC without MULTI",
  discardWithoutMulti: "ERR DISCARD without MULTI",
  watchInsideMulti: "ERR WATCH inside MULTI is not allowed",
  monitorInsideMulti: "ERR MONITOR isn't allowed for DENY BLOCKING client",
  notInsideMulti: "ERR Command not allowed inside a transaction",
  execAbort: "EXECABORT Transaction discarded because of previous errors.",
  /** Headrace's own: Redis' transactions are bounded by memory. */
  transactionTooLarge: "ERR the transaction is larger than max-transaction-bytes",
  countNotPositive: "ERR COUNT must be > 0",
} as const;

/** Redis prints at most this much of a client's word. */
const WORD_BYTES_MAX = 128;

/** A client's word as C's %s prints it: it ends at the first NUL. */
function shown(word: string, bytesMax: number = Infinity): string {
  const end = word.indexOf("\0");
  return word.slice(0, Math.min(end < 0 ? word.length : end, bytesMax));
}

export function wrongArity(fullName: string): string {
  return `ERR wrong number of arguments for '${fullName}' command`;
}

export function inputKeyNeeded(command: string): string {
  return `ERR at least 1 input key is needed for '${command}' command`;
}

export function unknownSubcommand(subcommand: string, container: string): string {
  return `ERR unknown subcommand '${shown(subcommand, WORD_BYTES_MAX)}'. Try ${container.toUpperCase()} HELP.`;
}

export function subcommandSyntax(subcommand: string, container: string): string {
  return `ERR unknown subcommand or wrong number of arguments for '${shown(subcommand, WORD_BYTES_MAX)}'. Try ${container.toUpperCase()} HELP.`;
}

/** `words`: the arguments behind the name, of which Redis lists the first 128 bytes. */
export function unknownCommand(name: string, words: readonly string[]): string {
  let list = "";
  for (const word of words) {
    if (list.length >= WORD_BYTES_MAX) break;
    list += `'${shown(word, WORD_BYTES_MAX - list.length)}' `;
  }
  return `ERR unknown command '${shown(name, WORD_BYTES_MAX)}', with args beginning with: ${list}`;
}

/** Why EXEC itself was refused: `error` is the text that another command would get, without Redis' general code word. */
export function execAbortedBy(error: string): string {
  return `EXECABORT Transaction discarded because of: ${error.startsWith("ERR ") ? error.slice(4) : error}`;
}

export function invalidExpireTime(command: string): string {
  return `ERR invalid expire time in '${command}' command`;
}

export function unsupportedOption(word: string): string {
  return `ERR Unsupported option ${shown(word)}`;
}

export function noKeyOrGroup(key: string, group: string): string {
  return `NOGROUP No such key '${shown(key)}' or consumer group '${shown(group)}'`;
}

export function noKeyOrGroupInRead(key: string, group: string): string {
  return `${noKeyOrGroup(key, group)} in XREADGROUP with GROUP option`;
}

export function noGroup(key: string, group: string): string {
  return `NOGROUP No such consumer group '${shown(group)}' for key name '${shown(key)}'`;
}

/** Headrace's own: a limit of lag is reached, and nothing was appended. */
export function backPressure(key: string, group: string, behind: number, unit: string, limit: number): string {
  return `BACKPRESSURE group '${shown(group)}' of '${shown(key)}' is ${behind} ${unit} behind (limit ${limit})`;
}

export function unrecognizedClaimOption(option: string): string {
  return `ERR Unrecognized XCLAIM option '${shown(option)}'`;
}

export function unrecognizedNackOption(option: string): string {
  return `ERR Unrecognized XNACK option '${shown(option)}'`;
}

/** Headrace's own. */
export function tooManyDelayed(count: number): string {
  return `ERR the stream has ${count} delayed entries, as many as stream-delayed-max-entries allows`;
}

export function givenTwice(parameter: string): string {
  return `ERR ${parameter} specified multiple times`;
}

export function unknownClientAttribute(name: string): string {
  return `ERR Unrecognized option '${shown(name)}'`;
}

export function clientAttributeForm(name: string): string {
  return `ERR ${name} cannot contain spaces, newlines or special characters.`;
}

export function unknownClientType(word: string): string {
  return `ERR Unknown client type '${shown(word)}'`;
}

export function noSuchUser(name: string): string {
  return `ERR No such user '${shown(name)}'`;
}

export function aclUserNotFound(name: string): string {
  return `ERR User '${shown(name)}' not found`;
}

export function unknownAclCategory(name: string): string {
  return `ERR Unknown category '${shown(name)}'`;
}

export function unknownAclCommand(name: string): string {
  return `ERR Command '${shown(name)}' not found`;
}

export function unknownFunctionOption(word: string): string {
  return `ERR Unknown argument ${shown(word)}`;
}

/** Headrace's own: there is no other placement than its own. */
export function clusterRefused(word: string): string {
  return `ERR CLUSTER ${word.toUpperCase()} is not supported: slots and nodes are placed by Headrace itself`;
}

export function unknownNode(name: string): string {
  return `ERR Unknown node ${shown(name)}`;
}

/** A RESP2 connection with subscriptions. */
export function notWhileSubscribed(fullName: string): string {
  return `ERR Can't execute '${fullName}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`;
}

export function noLatencySamples(event: string): string {
  return `ERR No samples available for event '${shown(event)}'`;
}

export function helloSyntax(option: string): string {
  return `ERR Syntax error in HELLO option '${shown(option)}'`;
}

export function unknownSetting(name: string): string {
  return `ERR Unknown option or number of arguments for CONFIG SET - '${shown(name)}'`;
}

export function settingFailed(name: string, reason: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${shown(name)}') - ${reason}`;
}
