/** Partitions by key: each address' mails in order, once. Partitions in turn: each job once, and as many in one partition as in another. */
import { difference, type Scenario } from "./scenario.ts";

const PARTITIONS = 4;
const ADDRESSES = 20;

const numbers = Array.from({ length: PARTITIONS }, (_, partition) => partition);
const halves = ["0,1", "2,3"];

function mail(producer: string): (number: number) => string {
  return (number) =>
    JSON.stringify({
      to: `${producer}-${number % ADDRESSES}@example.org`,
      text: String(Math.ceil(number / ADDRESSES)),
    });
}

export const byKey: Scenario = {
  name: "partitions by key",
  promise: "exactly once",
  keys: numbers.map((partition) => `Email:{P${partition}}`),
  begin(stage) {
    for (const name of ["a", "b"]) {
      stage.feed(mail(name), "partitions/by-key-producer.ts", "--name", name, "--partitions", String(PARTITIONS));
    }
    return halves.map((partitions) => {
      const worker = () => stage.run("partitions/worker.ts", "--partitions", partitions);
      return { program: worker(), again: worker };
    });
  },
  async settle(stage) {
    for (const key of this.keys) await stage.drained(key, "workers");
  },
  async check(stage) {
    const expected = new Map<string, string[]>();
    for (const line of stage.fed.flatMap(({ lines }) => lines)) {
      const { to, text } = JSON.parse(line) as { to: string; text: string };
      expected.set(to, [...(expected.get(to) ?? []), text]);
    }
    const wrong: string[] = [];
    let counted = 0;
    for (const [to, texts] of expected) {
      const logs = await Promise.all(
        numbers.map((partition) => stage.ask<string[]>("LRANGE", `Email:log:{P${partition}}:${to}`, 0, -1)),
      );
      const found = logs.filter((log) => log.length > 0);
      if (found.length > 1) wrong.push(`${to} is in ${found.length} partitions`);
      counted += found[0]?.length ?? 0;
      wrong.push(...difference(to, found[0] ?? [], texts));
    }
    return { expected: stage.given, counted, wrong };
  },
};

export const roundRobin: Scenario = {
  name: "partitions in turn",
  promise: "exactly once",
  keys: [...numbers.map((partition) => `Jobs:{P${partition}}`), "Jobs:number"],
  begin(stage) {
    for (const name of ["a", "b"]) {
      stage.feed(
        (number) => `${name}-${number}`,
        "partitions/round-robin-producer.ts",
        "--name",
        name,
        "--partitions",
        String(PARTITIONS),
      );
    }
    return halves.map((partitions) => {
      const worker = () =>
        stage.run("partitions/worker.ts", "--queue", "Jobs", "--key", "", "--value", "job", "--partitions", partitions);
      return { program: worker(), again: worker };
    });
  },
  async settle(stage) {
    for (const partition of numbers) await stage.drained(`Jobs:{P${partition}}`, "workers");
  },
  async check(stage) {
    const logs = await Promise.all(
      numbers.map((partition) => stage.ask<string[]>("LRANGE", `Jobs:log:{P${partition}}`, 0, -1)),
    );
    const sizes = logs.map(({ length }) => length);
    const done = logs.flat();
    const given = stage.fed.flatMap(({ lines }) => lines);
    const wrong = [...difference("jobs", [...done].sort(), [...given].sort())];
    const apart = Math.max(...sizes) - Math.min(...sizes);
    if (apart > 1 + (stage.counts["numbersLeftOut"] ?? 0)) wrong.push(`partitions of ${sizes.join(", ")} jobs`);
    return { expected: given.length, counted: done.length, wrong };
  },
};
