/** What is old goes to files and then out of the stream: all that was sent is in files or stream, what a group still needs in both, and in order once read together. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSegment, segmentNames } from "../../examples/archive/segments.ts";
import { difference, type Scenario } from "./scenario.ts";

const KEY = "views:{log}";
const PENDING = 10;

let folder = "";

export const archive: Scenario = {
  name: "archive",
  promise: "exactly once",
  keys: [KEY],
  begin(stage) {
    folder = mkdtempSync(join(tmpdir(), "headrace-examples-"));
    stage.feed((number) => `/n${number}`, "page-views/producer.ts", "--site", "log");
    const soon = ["--older-than-ms", "500", "--every-ms", "100", "--segment-entries", "500"];
    const archiver = () => stage.run("archive/archiver.ts", "--key", KEY, "--directory", folder, ...soon);
    return [{ program: archiver(), again: archiver }];
  },
  async settle(stage) {
    await stage.until("everything to be archived", async () => ((await stage.redis.xlen(KEY)) === 0 ? true : null));
    // What a group has in its hands stays, although it is archived.
    await stage.redis.xgroup("CREATE", KEY, "slow", "$");
    const { lines } = stage.fed[0]!;
    const target = { from: lines.length, to: lines.length + 100 };
    for (let number = target.from; number < target.to; number++) {
      await stage.redis.xadd(KEY, "*", "page", `/n${number + 1}`);
      lines.push(`/n${number + 1}`);
    }
    await stage.redis.xreadgroup("GROUP", "slow", "sloth", "COUNT", PENDING, "STREAMS", KEY, ">");
    await stage.redis.xgroup("SETID", KEY, "slow", "$");
    await stage.until("all but what is pending to go", async () =>
      (await stage.redis.xlen(KEY)) === PENDING ? true : null,
    );
  },
  async check(stage) {
    const { lines } = stage.fed[0]!;
    const history = stage.run("archive/history.ts", "--key", KEY, "--directory", folder);
    await history.finish("wait");
    const found = history.lines().map((line) => (JSON.parse(line) as [string, string[]])[1][1]!);
    const filed = segmentNames(folder).flatMap((name) => readSegment(folder, name));
    rmSync(folder, { recursive: true, force: true });
    const wrong = [...difference("read together", found, lines)];
    wrong.push(
      ...difference(
        "in files",
        filed.map(([, fields]) => fields[1]!),
        lines,
      ),
    );
    const left = await stage.entries(KEY);
    wrong.push(
      ...difference(
        "left in the stream",
        left.map(([, fields]) => fields[1]!),
        lines.slice(-100, -100 + PENDING),
      ),
    );
    return { expected: lines.length, counted: found.length, wrong };
  },
};
