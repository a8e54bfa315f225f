/**
 * Requests beside the judged work: every other command and option once in a while, so that the code behind them runs under faults as well; on streams
 * of their own (`x…`) to which anything may happen. Nobody judges their entries (checkers/reading.ts); replicas still have to agree on the state they
 * make. And names of groups (`g…`), created and never destroyed, which checkers/group-names.ts judges.
 */
import type { SeededRandom } from "./seeded-random.ts";
import { onLists, onSortedSets } from "./workload-values.ts";

export const NAMED_GROUPS = "g:{a}";

const free = (random: SeededRandom): string => random.pick(["x:{a}", "x:{a}2", "x:{b}", "x:{c}", "x:{d}"]);
/** In one slot. */
const AB = ["x:{a}", "x:{a}2"];
const BA = ["x:{a}2", "x:{a}"];
const someGroup = (random: SeededRandom): string => random.pick(["xg", "xh"]);
const someone = (random: SeededRandom): string => random.pick(["ann", "bob", "cy"]);
const someId = (random: SeededRandom): string => random.pick(["0", "0-1", "$", "5-5"]);

function boundedRead(group: string, consumer: string, id: string): readonly string[] {
  const options = ["MAXCOUNT", "3", "MAXSIZE", "200", "CLAIM", "0"];
  return ["XREADGROUP", "GROUP", group, consumer, ...options, "STREAMS", "x:{a}", "x:{a}2", ">", id];
}

type Make = (random: SeededRandom, name: string) => readonly string[];

const onStreams: readonly Make[] = [
  (random) => ["XADD", free(random), "*", "f", "1", "g", "2"],
  (random) => ["XADD", free(random), "*", "other", "x".repeat(random.between(1, 3000))],
  (random) => ["XADD", free(random), `${random.between(1, 50)}-*`, "f", "1"],
  (random) => ["XADD", free(random), `${random.between(1, 50)}-${random.between(0, 9)}`, "f", "1"],
  (random) => ["XADD", free(random), "MAXLEN", "~", "10", "LIMIT", "5", "*", "f", "1"],
  (random) => ["XADD", free(random), "MINID", "3-0", "*", "f", "1"],
  (random) => ["XADD", free(random), "IDMP", someone(random), random.pick(["i", "j", "k"]), "*", "f", "1"],
  (random) => ["XADD", free(random), "IDMPAUTO", someone(random), "MAXLEN", "9", "*", "f", random.pick(["1", "2"])],
  (random) => [
    "XCFGSET",
    free(random),
    "IDMP-DURATION",
    random.pick(["1", "2"]),
    "IDMP-MAXSIZE",
    random.pick(["1", "3"]),
  ],
  (random) => ["XCFGSET", free(random), "ACK", random.pick(["0", "1", "ALL", "DEFAULT"])],
  (random) => ["XCFGSET", free(random), "RETENTION-ENTRIES", random.pick(["0", "1", "5", "DEFAULT"])],
  (random) => [
    "XCFGSET",
    free(random),
    "RETENTION-MS",
    random.pick(["1", "200", "DEFAULT"]),
    "RETENTION-BYTES",
    "40000",
  ],
  (random) => ["XCFGSET", free(random), "RETENTION-KEEP", random.pick(["NONE", "UNACKED", "DEFAULT"])],
  (random) => [
    "XADD",
    free(random),
    "DELAY",
    random.pick(["0", "5", "300"]),
    "*",
    "f",
    "x".repeat(random.between(1, 3000)),
  ],
  (random) => ["XADD", free(random), "DELAY", "50", "MAXLEN", random.pick(["=", "~"]), "5", "*", "f", "1"],
  (random) => ["XADD", free(random), "AT", "1", random.pick(["DELREF", "ACKED"]), "MINID", "5-0", "*", "f", "1"],
  (random) => ["XADD", free(random), "DELAY", "200", "IDMP", someone(random), random.pick(["i", "j"]), "*", "f", "1"],
  (random) => ["XDELAYED", free(random), "COUNT", "3"],
  (random) => ["XDELAYED", "CANCEL", free(random), `d${random.between(1, 400)}`],
  (random) => ["XCFGSET", free(random), "MAXLAG-BYTES", random.pick(["OFF", "OFF", "300", "9000"])],
  (random) => ["XIDMPRECORD", free(random), someone(random), "i", "5-5"],
  (random) => ["XDEL", free(random), "1-1", "2-2", "5-5"],
  (random) => ["XTRIM", free(random), "MAXLEN", "~", "3"],
  (random) => ["XTRIM", free(random), "MINID", "~", "40-0", "LIMIT", "2"],
  (random) => ["XADD", free(random), random.pick(["DELREF", "ACKED"]), "MAXLEN", "~", "6", "*", "f", "1"],
  (random) => ["XTRIM", free(random), "MAXLEN", "4", random.pick(["KEEPREF", "DELREF", "ACKED"])],
  (random) => ["XTRIM", free(random), "MINID", "~", "45-0", "LIMIT", "3", random.pick(["DELREF", "ACKED"])],
  (random) => ["XDELEX", free(random), random.pick(["KEEPREF", "DELREF", "ACKED"]), "IDS", "2", "1-1", "5-5"],
  (random) => ["XSETID", free(random), "9999999999999-0"],
  (random) => ["XSETID", free(random), "9999999999999-9", "ENTRIESADDED", "400", "MAXDELETEDID", "3-3"],
  (random) => ["XRANGE", free(random), "(5-1", "+", "COUNT", "3"],
  (random) => ["XREVRANGE", free(random), "+", "(5", "COUNT", "3"],
  (random) => ["XREAD", "COUNT", "2", "STREAMS", "x:{a}", "x:{a}2", someId(random), "0"],
  (random) => ["XREAD", "BLOCK", "20", "STREAMS", "x:{a}", "x:{a}2", "$", "$", ...(random.chance(1, 9) ? ["0"] : [])],
  (random) => ["XINFO", "STREAM", free(random)],
  (random) => ["XINFO", "STREAM", free(random), "FULL", "COUNT", "3"],
  (random) => ["XINFO", "GROUPS", free(random)],
  (random) => ["XINFO", "CONSUMERS", free(random), someGroup(random)],
  (random) => ["DEL", free(random)],
  (random) => ["TYPE", free(random)],
];

/** Dead-letter streams of this shard and of another one; what is in the first may go on from there. */
const DEAD: readonly string[] = ["x:{a}2", "xdead:{a}", "xdead:{b}"];

const onGroups: readonly Make[] = [
  (random) => ["XGROUP", "CREATE", free(random), someGroup(random), someId(random), "MKSTREAM"],
  (random) => ["XGROUP", "CREATE", free(random), someGroup(random), "0", "ENTRIESREAD", "2"],
  (random) => ["XGROUP", "SETID", free(random), someGroup(random), someId(random)],
  (random) => ["XGROUP", "SETID", free(random), someGroup(random), "0", "ENTRIESREAD", "1"],
  (random) => ["XGROUP", "CREATECONSUMER", free(random), someGroup(random), someone(random)],
  (random) => ["XGROUP", "DELCONSUMER", free(random), someGroup(random), someone(random)],
  (random) => ["XGROUP", "SETRETRY", free(random), someGroup(random), "MIN-IDLE", random.pick(["1", "9", "300"])],
  (random) => ["XGROUP", "SETRETRY", free(random), someGroup(random), ..."MIN-IDLE 2 BACKOFF 1.5 MAX 70".split(" ")],
  (random) => ["XGROUP", "SETRETRY", free(random), someGroup(random), "OFF"],
  (random) => ["XGROUP", "SETIDLE", free(random), someGroup(random), random.pick(["OFF", "1", "30", "5000"])],
  (random) => ["XGROUP", "DELCONSUMER", free(random), someGroup(random), someone(random), "HANDBACK"],
  (random) => ["XGROUP", "SETDLQ", free(random), someGroup(random), random.pick(DEAD), "MAX_RETRIES", "1"],
  (random) => ["XGROUP", "SETDLQ", free(random), someGroup(random), random.pick(DEAD), "MAX_RETRIES", "3"],
  (random) => ["XGROUP", "SETDLQ", free(random), someGroup(random), "OFF"],
  (random) => ["XGROUP", "REDRIVE", free(random), someGroup(random), ...(random.chance(1, 2) ? ["COUNT", "2"] : [])],
  (random) => ["XGROUP", "SETMAXLAG", free(random), someGroup(random), random.pick(["OFF", "OFF", "4", "40"])],
  (random) => ["XGROUP", "SETMAXLAG", free(random), someGroup(random), ..."6 POLICY DELAY MAX 30".split(" ")],
  (random) => ["XGROUP", "DESTROY", free(random), someGroup(random)],
  (random) => ["XREADGROUP", "GROUP", someGroup(random), someone(random), "STREAMS", free(random), ">"],
  (random) => ["XREADGROUP", "GROUP", someGroup(random), someone(random), "COUNT", "9", "STREAMS", free(random), "0"],
  (random) => ["XREADGROUP", "GROUP", someGroup(random), someone(random), "STREAMS", "x:{a}", "x:{a}2", ">", ">"],
  (random) => ["XREADGROUP", "GROUP", someGroup(random), someone(random), "CLAIM", "5", "STREAMS", free(random), ">"],
  (random) => boundedRead(someGroup(random), someone(random), random.pick([">", "0"])),
  (random) => ["XACK", free(random), someGroup(random), "1-1", "2-2", "5-5"],
  (random) => ["XACKDEL", free(random), someGroup(random), random.pick(["DELREF", "ACKED"]), "IDS", "2", "1-1", "5-5"],
  (random) => ["XNACK", free(random), someGroup(random), random.pick(["SILENT", "FAIL"]), "IDS", "2", "1-1", "5-5"],
  (random) => ["XNACK", free(random), someGroup(random), "FATAL", "IDS", "2", "2-2", "5-5", "FORCE"],
  (random) => ["XNACK", free(random), someGroup(random), "FAIL", "IDS", "1", "5-5", "RETRYCOUNT", "4"],
  (random) => ["XPENDING", free(random), someGroup(random)],
  (random) => ["XPENDING", free(random), someGroup(random), "IDLE", "5", "-", "+", "10", someone(random)],
  (random) => ["XCLAIM", free(random), someGroup(random), someone(random), "0", "1-1", "5-5", "FORCE", "JUSTID"],
  (random) => ["XCLAIM", free(random), someGroup(random), someone(random), "0", "5-5", "IDLE", "7", "RETRYCOUNT", "3"],
  (random) => ["XCLAIM", free(random), someGroup(random), someone(random), "1", "0-1", "TIME", "1", "LASTID", "7-7"],
  (random) => ["XAUTOCLAIM", free(random), someGroup(random), someone(random), "0", "0", "COUNT", "5"],
];

const onKeyspace: readonly Make[] = [
  () => ["SCAN", "0", "COUNT", "2"],
  () => ["SCAN", "0", "MATCH", "x*", "TYPE", "stream", "COUNT", "100"],
  (random) => ["SCAN", String(random.below(1_000_000)), "COUNT", "5"],
  () => ["KEYS", "[sx]:{?}*"],
  () => ["DBSIZE"],
  () => ["EXISTS", "x:{a}", "x:{b}", "x:{c}", "x:{d}"],
  () => ["UNLINK", "x:{c}", "x:{d}"],
  () => ["XGROUP", "HELP"],
  () => ["XINFO", "HELP"],
];

/** A stream as DUMP gives it: 1-1 f v. */
const DUMPED =
  "H\x01\x01(\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf0?\x02;\0\0\0\x1f\0\0\0" +
  "*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n" +
  "\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x1f\0\0\xc0\0" +
  "\x01H\0\0\0\0\0\0\0\0";
const someTime = (random: SeededRandom): string => random.pick(["-1", "1", "50", "400", "3000"]);

const onKeys: readonly Make[] = [
  (random) => ["PEXPIRE", free(random), someTime(random)],
  (random) => ["PEXPIRE", free(random), someTime(random), random.pick(["NX", "XX", "GT", "LT"])],
  (random) => ["EXPIRE", free(random), random.pick(["0", "1", "5"])],
  (random) => [random.pick(["EXPIREAT", "PEXPIREAT"]), free(random), random.pick(["1", "9000000000000"])],
  (random) => ["PERSIST", free(random)],
  (random) => [random.pick(["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]), free(random)],
  (random) => ["RENAME", ...random.pick([AB, BA])],
  (random) => ["RENAMENX", ...random.pick([AB, BA])],
  (random) => ["COPY", ...random.pick([AB, BA]), ...(random.chance(1, 2) ? ["REPLACE"] : [])],
  (random) => ["RENAME", free(random), free(random)],
  (random) => ["DUMP", free(random)],
  (random) => ["RESTORE", free(random), "0", DUMPED],
  (random) => ["RESTORE", free(random), someTime(random), DUMPED, "REPLACE"],
  (random) => ["RESTORE", free(random), "0", `${DUMPED}x`],
  (random) => ["OBJECT", random.pick(["ENCODING", "IDLETIME", "FREQ", "REFCOUNT"]), free(random)],
  (random) => ["MEMORY", "USAGE", free(random)],
  () => ["TOUCH", "x:{a}", "x:{b}", "x:{c}"],
  () => ["RANDOMKEY"],
  (random) => ["MOVE", free(random), "1"],
  () => ["SWAPDB", "0", "0"],
];

const onServer: readonly Make[] = [
  () => ["INFO"],
  (random) => ["INFO", random.pick(["keyspace", "replication", "everything"])],
  () => ["COMMAND"],
  () => ["COMMAND", "COUNT"],
  () => ["COMMAND", "INFO", "xadd", "get"],
  () => ["COMMAND", "DOCS", "xadd", "xgroup"],
  () => ["COMMAND", "LIST", "FILTERBY", "PATTERN", "x*"],
  () => ["COMMAND", "GETKEYS", "XREAD", "COUNT", "2", "STREAMS", "x:{a}", "x:{b}", "0", "0"],
  () => ["COMMAND", "HELP"],
  () => ["CONFIG", "GET", "stream-*", "maxclients"],
  (random) => ["CONFIG", "SET", "stream-node-max-entries", random.pick(["100", "7", "30"])],
  (random) => ["CONFIG", "SET", "stream-idmp-maxsize", random.pick(["100", "2"])],
  // More than any stream has: every long one is looked at, none loses anything.
  (random) => ["CONFIG", "SET", "stream-retention-entries", random.pick(["0", "100000"])],
  () => ["CONFIG", "SET", "ack", "all", "no-such-setting", "1"],
  () => ["CONFIG", "RESETSTAT"],
  () => ["CONFIG", "HELP"],
  () => ["TIME"],
  () => ["CLUSTER", "INFO"],
  () => ["CLUSTER", "SLOTS"],
  () => ["CLUSTER", "SHARDS"],
  () => ["CLUSTER", "NODES"],
  () => ["CLUSTER", "MYID"],
  () => ["CLUSTER", "KEYSLOT", "x:{a}"],
  (random) => ["CLUSTER", "COUNTKEYSINSLOT", String(random.pick([15495, 3300, 20000]))],
  () => ["CLUSTER", "HELP"],
];

const onConnection: readonly Make[] = [
  () => ["PING"],
  () => ["HELLO", "2", "SETNAME", "sim"],
  () => ["CLIENT", "LIST"],
  () => ["CLIENT", "INFO"],
  () => ["CLIENT", "ID"],
  (_random, name) => ["CLIENT", "SETNAME", name],
  () => ["CLIENT", "GETNAME"],
  () => ["CLIENT", "SETINFO", "LIB-NAME", "sim"],
  () => ["CLIENT", "NO-EVICT", "ON"],
  () => ["CLIENT", "TRACKING", "OFF"],
  () => ["CLIENT", "HELP"],
  () => ["SELECT", "0"],
  () => ["SELECT", "1"],
  () => ["AUTH", "nobody", "wrong"],
  () => ["READONLY"],
  () => ["READWRITE"],
  () => ["ASKING"],
  () => ["QUIT"],
  () => ["EXEC"],
  () => ["DISCARD"],
];

/** What clients get wrong. */
const mistakes: readonly Make[] = [
  () => ["NOSUCHCOMMAND", "a", "b"],
  () => ["XADD", "x:{a}", "*", "f"],
  () => ["XADD", "x:{a}", "MAXLEN", "x", "*", "f", "1"],
  () => ["XADD", "x:{a}", "0-0", "f", "1"],
  () => ["XADD", "x:{a}", "DELAY", "5", "9-9", "f", "1"],
  () => ["XDELAYED", "CANCEL", "x:{a}", "5-5"],
  () => ["XREAD", "STREAMS", "x:{a}", "x:{b}", "0"],
  () => ["XREADGROUP", "GROUP", "xg", "ann", "STREAMS", "n:{a}", ">"],
  () => ["XRANGE", "x:{a}", "z", "+"],
  () => ["XGROUP", "CREATE", "n:{a}", "xg", "$"],
  () => ["XCLAIM", "x:{a}", "nogroup", "ann", "0", "1-1"],
  () => ["WAIT", "-1", "x"],
  () => ["SCAN", "zz"],
];

const themes: readonly (readonly Make[])[] = [
  onStreams,
  onStreams,
  onGroups,
  onGroups,
  onKeyspace,
  onKeys,
  onLists,
  onSortedSets,
  onServer,
  onConnection,
  mistakes,
];

export function anyCommand(random: SeededRandom, name: string): readonly string[] {
  return random.pick(random.pick(themes))(random, name);
}

/** `at` numbers the names: an error that says that a group exists is a read too. */
export function nameGroup(random: SeededRandom, at: number): readonly string[] {
  if (random.chance(1, 6)) return ["XINFO", "GROUPS", NAMED_GROUPS];
  return ["XGROUP", "CREATE", NAMED_GROUPS, `p${at}`, "0", "MKSTREAM"];
}
