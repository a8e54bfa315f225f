import { Client, credentials } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import type { MetaClient, MetaResponse, Result } from "@headrace/ports";
import { createMetaClient } from "../src/index.ts";
import { methodOf, nodeAdminService } from "../src/proto-contract.ts";
import { Lines, TestNode } from "./test-node.ts";

const nodes: TestNode[] = [];
const clients: MetaClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const node of nodes.splice(0)) await node.close();
});

async function started(options: ConstructorParameters<typeof TestNode>[1] = {}): Promise<TestNode> {
  const node = await new TestNode(1, options).start();
  nodes.push(node);
  return node;
}

function clientOf(secret: string | null = null): MetaClient {
  const client = createMetaClient({ secret, logger: new Lines().logger });
  clients.push(client);
  return client;
}

function ask(
  client: MetaClient,
  address: string,
  kind: string,
  timeoutMs: number = 5_000,
): Promise<Result<MetaResponse>> {
  return new Promise((resolve) => client.ask(address, { kind, body: { n: 1 } }, timeoutMs, resolve));
}

/** States in order, with a wait for the next one. */
class Watched {
  readonly states: unknown[] = [];
  #wake: (() => void) | null = null;

  readonly onState = (state: Record<string, unknown>): void => {
    this.states.push(state["n"]);
    this.#wake?.();
  };

  async until(count: number): Promise<unknown[]> {
    while (this.states.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.states;
  }
}

describe("asking a node", () => {
  test("questions are answered before the node has an identity", async () => {
    const a = await started();
    const b = await started();
    const fromNode = await b.ask(a.address, "hello", { x: "ü" });
    expect(fromNode).toEqual({ ok: true, value: { ok: true, body: { kind: "hello", x: "ü" } } });
    const fromClient = await ask(clientOf(), a.address, "state");
    expect(fromClient).toEqual({ ok: true, value: { ok: true, body: { kind: "state", n: 1 } } });
  });

  test("bulk goes beside the body, byte for byte, more than a message of a client may have", async () => {
    const a = await started();
    const payload = Uint8Array.from({ length: 5 * 1024 * 1024 }, (_, i) => (i * 7) % 251);
    a.payload = payload;
    const answer = await ask(clientOf(), a.address, "rows");
    expect(answer).toMatchObject({ ok: true, value: { ok: true, body: { kind: "rows", n: 1 } } });
    expect(Buffer.compare(answer.ok ? answer.value.payload! : Buffer.alloc(0), payload)).toBe(0);
  });

  test("with a secret only those who prove it are answered", async () => {
    const a = await started({ secret: "s" });
    expect(await ask(clientOf("s"), a.address, "state")).toMatchObject({ ok: true });
    const without = await ask(clientOf(null), a.address, "state");
    expect(without.ok ? "" : without.message).toContain("no proof of the cluster secret");
    const wrong = await ask(clientOf("t"), a.address, "state");
    expect(wrong.ok ? "" : wrong.message).toContain("wrong cluster secret");
    await a.log.until("meta_request_refused", "wrong cluster secret");
  });

  test("a dead address and a node that does not answer in time are failures", async () => {
    const a = await started();
    const { address } = a;
    a.isMute = true;
    const mute = await ask(clientOf(), address, "state", 50);
    expect(mute).toMatchObject({ ok: false, reason: "io" });
    await a.close();
    nodes.length = 0;
    const dead = await ask(clientOf(), address, "state");
    expect(dead.ok ? "" : dead.message).toContain("ECONNREFUSED");
  });

  test("the admin service's status is answered like a question of that kind", async () => {
    const a = await started();
    const method = methodOf(nodeAdminService, "Status");
    const client = new Client(a.address, credentials.createInsecure());
    const response = await new Promise<object | undefined>((resolve, reject) =>
      client.makeUnaryRequest(method.path, method.requestSerialize, method.responseDeserialize, {}, (error, value) =>
        error === null ? resolve(value) : reject(error),
      ),
    );
    client.close();
    expect(response).toEqual({ statusJson: '{"kind":"status"}' });
  });
});

describe("watching the state", () => {
  test.each([null, "s"])(
    "a watcher gets the last state at once and then each newer one (secret %j)",
    async (secret) => {
      const a = await started({ secret });
      a.network.publishState(3, { n: 3 });
      const watched = new Watched();
      clientOf(secret).watch(() => [a.address], watched.onState);
      await watched.until(1);
      a.network.publishState(2, { n: 2 });
      a.network.publishState(4, { n: 4 });
      expect(await watched.until(2)).toEqual([3, 4]);
    },
  );

  test("a watcher of a node without a state hears the first one", async () => {
    const a = await started();
    const watched = new Watched();
    clientOf().watch(() => [a.address], watched.onState);
    // The answer proves that the node serves, whether the watch came before or after.
    await ask(clientOf(), a.address, "state");
    a.network.publishState(1, { n: 1 });
    expect(await watched.until(1)).toEqual([1]);
  });

  test("a watch survives the restart of its only node, and hears no state twice", async () => {
    const a = await started();
    const { address } = a;
    a.network.publishState(1, { n: 1 });
    const watched = new Watched();
    clientOf().watch(() => [address], watched.onState);
    await watched.until(1);
    await a.close();
    nodes.length = 0;
    const again = await started({ bindAddress: address });
    again.network.publishState(1, { n: 1 });
    again.network.publishState(2, { n: 2 });
    expect(await watched.until(2)).toEqual([1, 2]);
  });

  test("of several nodes one that lags does not hold the watcher back, and addresses may come later", async () => {
    const [a, b] = [await started(), await started()];
    a.network.publishState(1, { n: 1 });
    b.network.publishState(2, { n: 2 });
    let addresses: string[] = [];
    const watched = new Watched();
    const watch = clientOf().watch(() => addresses, watched.onState);
    addresses = [a.address, b.address, "127.0.0.1:1"];
    while (watched.states.at(-1) !== 2) await watched.until(watched.states.length + 1);
    b.network.publishState(3, { n: 3 });
    while (watched.states.at(-1) !== 3) await watched.until(watched.states.length + 1);
    watch.close();
  });
});
