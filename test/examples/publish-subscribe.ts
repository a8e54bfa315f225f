/** Two topics on two shards: every subscriber hears every message of both, each topic's in order. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { difference, type Scenario } from "./scenario.ts";
import type { Program } from "./stage.ts";

const topics = ["sport", "weather"];
const all = ["--topics", topics.join(","), "--from", "0"];

interface Heard {
  readonly stream: string;
  readonly text: string;
}

function heard(programs: readonly Program[], topic: string): readonly string[] {
  const messages = programs.flatMap((program) => program.lines()).map((line) => JSON.parse(line) as Heard);
  return messages.filter(({ stream }) => stream === `news:{${topic}}`).map(({ text }) => text);
}

let subscribers: readonly Program[] = [];
/** One that goes on from its file: its processes, in order. */
let returning: Program[] = [];
let folder = "";

export const publishSubscribe: Scenario = {
  name: "publish-subscribe",
  promise: "exactly once",
  keys: topics.map((topic) => `news:{${topic}}`),
  begin(stage) {
    folder = mkdtempSync(join(tmpdir(), "headrace-examples-"));
    for (const topic of topics) {
      stage.feed(
        (number) => `${topic} ${number}`,
        "publish-subscribe/publisher.ts",
        "--topic",
        topic,
        "--keep",
        "10000000",
      );
    }
    subscribers = [1, 2].map(() => stage.run("publish-subscribe/subscriber.ts", ...all));
    const again = () => {
      const program = stage.run("publish-subscribe/subscriber.ts", ...all, "--state", join(folder, "state.json"));
      returning.push(program);
      return program;
    };
    returning = [];
    return [{ program: again(), again }];
  },
  async settle(stage) {
    const last = stage.fed.map(({ lines }) => lines.at(-1)!);
    await stage.until("all to hear the last message", async () => {
      const listeners = [...subscribers.map((program) => [program]), returning];
      return listeners.every((programs) => topics.every((topic, at) => heard(programs, topic).at(-1) === last[at]))
        ? true
        : null;
    });
    for (const program of subscribers) await program.finish("signal");
  },
  async check(stage) {
    rmSync(folder, { recursive: true, force: true });
    const late = stage.run("publish-subscribe/subscriber.ts", ...all, "--drain");
    await late.finish("wait");
    const wrong: string[] = [];
    let counted = 0;
    for (const [at, topic] of topics.entries()) {
      const { lines } = stage.fed[at]!;
      for (const program of [...subscribers, late]) wrong.push(...difference(topic, heard([program], topic), lines));
      counted += heard([late], topic).length;
      // Killed and started again, it may hear again what it heard last, and misses nothing.
      const distinct = [...new Set(heard(returning, topic))];
      wrong.push(...difference(`${topic}, gone on from a file`, distinct, lines));
    }
    return { expected: stage.given, counted, wrong };
  },
};
