/**
 * The list of all commands. A new command is one file, one line here and one fixture.
 */
import type { Request } from "@headrace/resp";
import type { CommandRecord } from "./command.ts";
import { unknownCommand, unknownSubcommand, wrongArity } from "./errors.ts";
import { LookupTable } from "./lookup.ts";
import { asking, readonly, readwrite } from "./cluster/cluster-modes.ts";
import { cluster } from "./cluster/cluster.ts";
import { wait, waitaof } from "./cluster/wait.ts";
import { auth } from "./connection/auth.ts";
import { client } from "./connection/client.ts";
import { echo } from "./connection/echo.ts";
import { hello } from "./connection/hello.ts";
import { ping } from "./connection/ping.ts";
import { quit } from "./connection/quit.ts";
import { reset } from "./connection/reset.ts";
import { select } from "./connection/select.ts";
import { copy } from "./key/copy.ts";
import { dbsize } from "./key/dbsize.ts";
import { del, unlink } from "./key/del.ts";
import { dump } from "./key/dump.ts";
import { exists } from "./key/exists.ts";
import { expire, expireat, pexpire, pexpireat } from "./key/expire.ts";
import { flushall, flushdb } from "./key/flush.ts";
import { keys } from "./key/keys.ts";
import { memory } from "./key/memory.ts";
import { move, swapdb } from "./key/move.ts";
import { object } from "./key/object.ts";
import { persist } from "./key/persist.ts";
import { randomkey } from "./key/randomkey.ts";
import { renameKey, renamenx } from "./key/rename.ts";
import { restore } from "./key/restore.ts";
import { scan } from "./key/scan.ts";
import { touch } from "./key/touch.ts";
import { expiretime, pexpiretime, pttl, ttl } from "./key/ttl.ts";
import { type } from "./key/type.ts";
import { publish, spublish } from "./pubsub/publish.ts";
import { pubsub } from "./pubsub/pubsub.ts";
import { psubscribe, punsubscribe, ssubscribe, subscribe, sunsubscribe, unsubscribe } from "./pubsub/subscribe.ts";
import { evalCommand, evalRo, evalsha, evalshaRo, fcall, fcallRo } from "./scripting/eval.ts";
import { functionCommand } from "./scripting/function.ts";
import { script } from "./scripting/script.ts";
import { acl } from "./server/acl.ts";
import { command } from "./server/command-command.ts";
import { config } from "./server/config.ts";
import { info } from "./server/info.ts";
import { latency } from "./server/latency.ts";
import { lolwut } from "./server/lolwut.ts";
import { monitor } from "./server/monitor.ts";
import { bgrewriteaof, bgsave, lastsave, save } from "./server/persistence.ts";
import { debug, moduleCommand, shutdown } from "./server/refused.ts";
import { replicaof, role, slaveof } from "./server/role.ts";
import { slowlog } from "./server/slowlog.ts";
import { time } from "./server/time.ts";
import { exec } from "./transaction/exec.ts";
import { discard, multi } from "./transaction/multi.ts";
import { unwatch, watch } from "./transaction/watch.ts";
import { bitcount } from "./bitmap/bitcount.ts";
import { bitfield, bitfieldRo } from "./bitmap/bitfield.ts";
import { bitop } from "./bitmap/bitop.ts";
import { bitpos } from "./bitmap/bitpos.ts";
import { getbit, setbit } from "./bitmap/setbit.ts";
import { hdel } from "./hash/hdel.ts";
import { hexists, hget, hlen, hmget, hstrlen } from "./hash/hget.ts";
import { hgetall, hkeys, hvals } from "./hash/hgetall.ts";
import { hincrby } from "./hash/hincrby.ts";
import { hincrbyfloat } from "./hash/hincrbyfloat.ts";
import { hrandfield } from "./hash/hrandfield.ts";
import { hscan } from "./hash/hscan.ts";
import { hmset, hset, hsetnx } from "./hash/hset.ts";
import { blpop, brpop } from "./list/blocking-pop.ts";
import { linsert, lrem, lset, ltrim } from "./list/change.ts";
import { blmove, brpoplpush, lmove, rpoplpush } from "./list/move.ts";
import { blmpop, lmpop } from "./list/lmpop.ts";
import { lpop, rpop } from "./list/pop.ts";
import { lpush, lpushx, rpush, rpushx } from "./list/push.ts";
import { lindex, llen, lpos, lrange } from "./list/read.ts";
import { sadd, srem } from "./set/sadd.ts";
import { sdiff, sdiffstore } from "./set/sdiff.ts";
import { sinter, sintercard, sinterstore, smembers } from "./set/sinter.ts";
import { scard, sismember, smismember } from "./set/sismember.ts";
import { smove } from "./set/smove.ts";
import { spop } from "./set/spop.ts";
import { srandmember } from "./set/srandmember.ts";
import { sscan } from "./set/sscan.ts";
import { sunion, sunionstore } from "./set/sunion.ts";
import { append, setrange } from "./string/append.ts";
import { get, getdel, getex, strlen } from "./string/get.ts";
import { getrange, substr } from "./string/getrange.ts";
import { decr, decrby, incr, incrby } from "./string/incr.ts";
import { incrbyfloat } from "./string/incrbyfloat.ts";
import { lcs } from "./string/lcs.ts";
import { mget, mset, msetnx } from "./string/mset.ts";
import { getset, psetex, set, setex, setnx } from "./string/set.ts";
import { zadd, zincrby } from "./sortedset/zadd.ts";
import { bzpopmax, bzpopmin } from "./sortedset/bzpop.ts";
import { bzmpop, zmpop } from "./sortedset/zmpop.ts";
import { zpopmax, zpopmin } from "./sortedset/zpop.ts";
import { zrandmember } from "./sortedset/zrandmember.ts";
import {
  zrange,
  zrangebylex,
  zrangebyscore,
  zrangestore,
  zrevrange,
  zrevrangebylex,
  zrevrangebyscore,
} from "./sortedset/zrange.ts";
import { zrem, zremrangebylex, zremrangebyrank, zremrangebyscore } from "./sortedset/zrem.ts";
import { zscan } from "./sortedset/zscan.ts";
import { zcard, zcount, zlexcount, zmscore, zrank, zrevrank, zscore } from "./sortedset/zscore.ts";
import { zdiff, zdiffstore, zinter, zintercard, zinterstore, zunion, zunionstore } from "./sortedset/zunion.ts";
import { xack } from "./stream/xack.ts";
import { xackdel } from "./stream/xackdel.ts";
import { xadd } from "./stream/xadd.ts";
import { xautoclaim } from "./stream/xautoclaim.ts";
import { xcfgset } from "./stream/xcfgset.ts";
import { xclaim } from "./stream/xclaim.ts";
import { xdelayed } from "./stream/xdelayed.ts";
import { xdel } from "./stream/xdel.ts";
import { xdelex } from "./stream/xdelex.ts";
import { xgroup } from "./stream/xgroup.ts";
import { xidmprecord } from "./stream/xidmprecord.ts";
import { xinfo } from "./stream/xinfo.ts";
import { xlen } from "./stream/xlen.ts";
import { xnack } from "./stream/xnack.ts";
import { xpending } from "./stream/xpending.ts";
import { xrange, xrevrange } from "./stream/xrange.ts";
import { xread } from "./stream/xread.ts";
import { xreadgroup } from "./stream/xreadgroup.ts";
import { xsetid } from "./stream/xsetid.ts";
import { xtrim } from "./stream/xtrim.ts";

export const commandTable: readonly CommandRecord[] = [
  // stream
  xack,
  xackdel,
  xadd,
  xautoclaim,
  xcfgset,
  xclaim,
  xdel,
  xdelayed,
  xdelex,
  xgroup,
  xidmprecord,
  xinfo,
  xlen,
  xnack,
  xpending,
  xrange,
  xread,
  xreadgroup,
  xrevrange,
  xsetid,
  xtrim,
  // string
  append,
  decr,
  decrby,
  get,
  getdel,
  getex,
  getrange,
  getset,
  incr,
  incrby,
  incrbyfloat,
  lcs,
  mget,
  mset,
  msetnx,
  psetex,
  set,
  setex,
  setnx,
  setrange,
  strlen,
  substr,
  // list
  blmove,
  blmpop,
  blpop,
  brpop,
  brpoplpush,
  lindex,
  linsert,
  llen,
  lmove,
  lmpop,
  lpop,
  lpos,
  lpush,
  lpushx,
  lrange,
  lrem,
  lset,
  ltrim,
  rpop,
  rpoplpush,
  rpush,
  rpushx,
  // set
  hdel,
  hexists,
  hget,
  hgetall,
  hincrby,
  hincrbyfloat,
  hkeys,
  hlen,
  hmget,
  hmset,
  hrandfield,
  hscan,
  hset,
  hsetnx,
  hstrlen,
  hvals,
  sadd,
  scard,
  sdiff,
  sdiffstore,
  sinter,
  sintercard,
  sinterstore,
  sismember,
  smembers,
  smismember,
  smove,
  spop,
  srandmember,
  srem,
  sscan,
  sunion,
  sunionstore,
  // bitmap
  bitcount,
  bitfield,
  bitfieldRo,
  bitop,
  bitpos,
  getbit,
  setbit,
  // sorted set
  bzmpop,
  bzpopmax,
  bzpopmin,
  zadd,
  zcard,
  zcount,
  zdiff,
  zdiffstore,
  zincrby,
  zinter,
  zintercard,
  zinterstore,
  zlexcount,
  zmpop,
  zmscore,
  zpopmax,
  zpopmin,
  zrandmember,
  zrange,
  zrangebylex,
  zrangebyscore,
  zrangestore,
  zrank,
  zrem,
  zremrangebylex,
  zremrangebyrank,
  zremrangebyscore,
  zrevrange,
  zrevrangebylex,
  zrevrangebyscore,
  zrevrank,
  zscan,
  zscore,
  zunion,
  zunionstore,
  // key
  copy,
  dbsize,
  del,
  dump,
  exists,
  expire,
  expireat,
  expiretime,
  flushall,
  flushdb,
  keys,
  memory,
  move,
  object,
  persist,
  pexpire,
  pexpireat,
  pexpiretime,
  pttl,
  randomkey,
  renameKey,
  renamenx,
  restore,
  scan,
  swapdb,
  touch,
  ttl,
  type,
  unlink,
  // transactions
  discard,
  exec,
  multi,
  unwatch,
  watch,
  // connection
  auth,
  client,
  echo,
  hello,
  ping,
  quit,
  reset,
  select,
  // cluster
  asking,
  cluster,
  readonly,
  readwrite,
  wait,
  waitaof,
  // scripting
  evalCommand,
  evalRo,
  evalsha,
  evalshaRo,
  fcall,
  fcallRo,
  functionCommand,
  script,
  // pubsub
  psubscribe,
  publish,
  pubsub,
  punsubscribe,
  spublish,
  ssubscribe,
  subscribe,
  sunsubscribe,
  unsubscribe,
  // server
  acl(() => commandTable, findCommandByName),
  bgrewriteaof,
  bgsave,
  command(() => commandTable, findCommandByName),
  config,
  debug,
  info,
  lastsave,
  latency,
  lolwut,
  moduleCommand,
  monitor,
  replicaof,
  role,
  save,
  shutdown,
  slaveof,
  slowlog,
  time,
];

let lookup: LookupTable | null = null;

/** Built at the first use: COMMAND's own record refers back to the table. */
function table(): LookupTable {
  lookup ??= new LookupTable(commandTable);
  return lookup;
}

/** The record that a request names, subcommands resolved; null when there is none (then `refusal` has the text). */
export function findCommand(request: Request): CommandRecord | null {
  return table().find(request, 0);
}

/** The record named from argument i on: COMMAND GETKEYS. */
export function findCommandAt(request: Request, i: number): CommandRecord | null {
  return table().find(request, i);
}

/** By full name in any case, `xgroup|create`. */
export function findCommandByName(name: string): CommandRecord | null {
  return table().findByName(name);
}

/** Why a request is refused before anything runs: unknown command or subcommand, wrong number of arguments. Null: it may run. */
export function refusal(request: Request, record: CommandRecord | null): string | null {
  if (record === null) {
    const container = table().findContainer(request, 0);
    if (container !== null) return unknownSubcommand(request.latin1(1), container.name);
    const shown: string[] = [];
    for (let i = 1; i < request.count && i <= 128; i++) shown.push(request.latin1(i));
    return unknownCommand(request.latin1(0), shown);
  }
  return arityFits(record, request.count) ? null : wrongArity(record.name);
}

export function arityFits(record: CommandRecord, count: number): boolean {
  return record.arity >= 0 ? count === record.arity : count >= -record.arity;
}
