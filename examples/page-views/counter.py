#!/usr/bin/env python3
"""Counts page views with redis-py: count:{site}:<page> goes up by one for each entry of views:{site}.

Exactly once (the default): INCRBY and XACK are one transaction, and every transaction of the group changes a key that all of them WATCH. Whatever
goes wrong, the counter reads again: what was counted is acknowledged, and is not handed out any more; what was not is; and an EXEC that is late
answers nil, because the watched key has changed. See examples/recipes/exact-consumer.ts, which says the same for Node.

At least once (--at-least-once): the same commands without a transaction. When an answer is lost between the two, views are counted twice.
"""
import argparse
import collections
import json
import signal
import time

import redis

# Answers that say "not now" or "nobody knows". Other errors are mistakes in the program.
PASSING = ("UNCERTAIN", "CLUSTERDOWN", "OOM", "MISCONF", "LOADING", "TRYAGAIN", "UNBLOCKED")
GROUP = "counters"
COUNT = 50
BLOCK_MS = 500


class Counter:
    def __init__(self, options):
        # A connection that is lost is an error to us: redis-py must not send again by itself what may have happened.
        self.redis = redis.Redis.from_url(options.url, decode_responses=True, retry_on_timeout=False, socket_timeout=30)
        self.site = options.site
        self.key = "views:{%s}" % options.site
        self.done = "%s:%s:done" % (self.key, GROUP)
        self.consumer = options.name
        self.retry_ms = options.retry_ms
        self.stopping = False
        self.counts = {"done": 0, "begunAgain": 0, "overtaken": 0}

    def open_group(self):
        try:
            self.redis.xgroup_create(self.key, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        # What a counter that died had in its hands is handed to the others by the cluster.
        self.redis.execute_command("XGROUP SETRETRY", self.key, GROUP, "MIN-IDLE", self.retry_ms)

    def read(self, client, start):
        reply = client.xreadgroup(GROUP, self.consumer, {self.key: start}, count=COUNT, block=BLOCK_MS)
        return reply[0][1] if reply else []

    def count(self, commands, entries):
        pages = collections.Counter(fields["page"] for _, fields in entries if fields)
        for page, views in pages.items():
            commands.incrby("count:{%s}:%s" % (self.site, page), views)
        commands.xack(self.key, GROUP, *(id for id, _ in entries))

    def exactly_once(self, start):
        """Counts a batch; how many views it had."""
        with self.redis.pipeline() as pipe:
            pipe.watch(self.done)
            entries = self.read(pipe, start)
            if entries:
                pipe.multi()
                self.count(pipe, entries)
                pipe.incrby(self.done, len(entries))
                for reply in pipe.execute(raise_on_error=False):
                    if isinstance(reply, Exception):
                        # The others of its transaction have happened: only a person can say what now.
                        raise RuntimeError("an effect was refused: %s" % reply)
            return len(entries)

    def at_least_once(self, start):
        entries = self.read(self.redis, start)
        if entries:
            with self.redis.pipeline(transaction=False) as pipe:
                self.count(pipe, entries)
                pipe.execute()
        return len(entries)

    def run(self, step, drain):
        # What was handed to this counter before it was started again comes first.
        start = None
        while not self.stopping:
            try:
                if start is None:
                    self.open_group()
                    start = "0"
                views = step(start)
                self.counts["done"] += views
                if views == 0:
                    if drain and start == ">":
                        return
                    start = ">"
                continue
            except redis.WatchError:
                # Another transaction was first, the leader changed, or the connection is lost (redis-py says that so, too).
                self.counts["overtaken"] += 1
            except (redis.ConnectionError, redis.TimeoutError):
                self.counts["begunAgain"] += 1
                time.sleep(0.05)
            except redis.ResponseError as error:
                if not any(word in str(error).split() for word in PASSING):
                    raise
                self.counts["begunAgain"] += 1
                time.sleep(0.05)
            start = None if start is None else "0"

    def stop(self, *_):
        self.stopping = True


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--url", default="redis://127.0.0.1:6379")
parser.add_argument("--site", default="shop")
parser.add_argument("--name", default="counter-1", help="of this counter; two that run at a time have two names")
parser.add_argument("--retry-ms", type=int, default=30000, help="after so long others get what was not acknowledged")
parser.add_argument("--at-least-once", action="store_true")
parser.add_argument("--drain", action="store_true", help="end when nothing is left")
options = parser.parse_args()
counter = Counter(options)
for name in (signal.SIGTERM, signal.SIGINT):
    signal.signal(name, counter.stop)
counter.run(counter.at_least_once if options.at_least_once else counter.exactly_once, options.drain)
print(json.dumps(counter.counts))
