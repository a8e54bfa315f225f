/** The three recipes: an idempotent producer, consuming and producing in one transaction, ids of what was processed. */
import { difference, type Scenario } from "./scenario.ts";

function order(producer: string): (number: number) => string {
  return (number) => JSON.stringify({ id: `${producer}-${number}`, amount: (number % 97) + 1 });
}

interface Order {
  readonly id: string;
  readonly amount: number;
}

const ORDERS = "orders:{bikes}";

export const idempotentProducer: Scenario = {
  name: "idempotent producer",
  promise: "exactly once",
  keys: [ORDERS],
  begin(stage) {
    for (const name of ["a", "b"]) stage.feed(order(name), "exactly-once/idempotent-producer.ts", "--name", name);
    return [];
  },
  async settle(stage) {
    // The same producer is started again and is given its last orders once more.
    const { lines } = stage.fed[0]!;
    const again = stage.run("exactly-once/idempotent-producer.ts", "--name", "a");
    again.child.stdin!.write(
      lines
        .slice(-40)
        .map((line) => `${line}\n`)
        .join(""),
    );
    await again.finish("input");
  },
  async check(stage) {
    const entries = await stage.entries(ORDERS);
    const wrong = stage.fed.flatMap(({ lines }, at) => {
      const mine = entries.map(([, fields]) => fields[1]!).filter((id) => id.startsWith("ab"[at]!));
      return difference(
        "orders",
        mine,
        lines.map((line) => (JSON.parse(line) as Order).id),
      );
    });
    return { expected: stage.given, counted: entries.length, wrong };
  },
};

export const consumeAndProduce: Scenario = {
  name: "consume and produce",
  promise: "exactly once",
  keys: [ORDERS],
  begin(stage) {
    for (const name of ["a", "b"]) stage.feed(order(name), "exactly-once/idempotent-producer.ts", "--name", name);
    return [1, 2].map((number) => {
      const billing = (generation: number) =>
        stage.run(
          "exactly-once/consume-and-produce.ts",
          "--name",
          `billing-${number}-${generation}`,
          "--retry-ms",
          "1000",
        );
      return { program: billing(1), again: billing };
    });
  },
  settle: (stage) => stage.drained(ORDERS, "billing"),
  async check(stage) {
    const orders = stage.fed.flatMap(({ lines }) => lines.map((line) => JSON.parse(line) as Order));
    const invoices = await stage.entries("invoices:{bikes}");
    const wrong = [
      ...difference("invoices", invoices.map(([, fields]) => fields[1]!).sort(), orders.map(({ id }) => id).sort()),
    ];
    const revenue = Number(await stage.ask("GET", "revenue:{bikes}"));
    const expected = orders.reduce((sum, { amount }) => sum + amount, 0);
    if (revenue !== expected) wrong.push(`a revenue of ${revenue} instead of ${expected}`);
    return { expected: orders.length, counted: invoices.length, wrong };
  },
};

const PAYMENTS = "payments:{north}";

export const processedIds: Scenario = {
  name: "processed ids",
  promise: "exactly once",
  keys: [PAYMENTS],
  begin(stage) {
    for (const name of ["a", "b"]) stage.feed(order(name), "test/examples/doubting-producer.ts");
    const ledger = (generation: number) =>
      stage.run("exactly-once/processed-ids.ts", "--name", `ledger-${generation}`, "--retry-ms", "1000");
    return [{ program: ledger(1), again: ledger }];
  },
  settle: (stage) => stage.drained(PAYMENTS, "ledger"),
  async check(stage) {
    const payments = stage.fed.flatMap(({ lines }) => lines.map((line) => JSON.parse(line) as Order));
    const wrong: string[] = [];
    const balance = Number(await stage.ask("GET", "balance:{north}"));
    const expected = payments.reduce((sum, { amount }) => sum + amount, 0);
    if (balance !== expected) wrong.push(`a balance of ${balance} instead of ${expected}`);
    const entries = await stage.ask<number>("XLEN", PAYMENTS);
    if (entries <= payments.length) wrong.push(`${entries} entries: nothing was sent twice`);
    let counted = 0;
    for (const key of await stage.ask<string[]>("KEYS", "booked:*")) counted += await stage.ask<number>("SCARD", key);
    if (counted !== payments.length) wrong.push(`${counted} booked instead of ${payments.length}`);
    return { expected: payments.length, counted, wrong };
  },
};
