/**
 * What every ByteNetwork promises, whatever carries it: TCP, the loopback inside a process, the simulator's. Waits only for events.
 */
import { describe, expect, test } from "vitest";
import type { ByteConnection, ByteListener, ByteNetwork, CloseReason } from "@headrace/ports";

export interface ByteNetworkUnderTest {
  readonly network: ByteNetwork;
  /** An address that nobody listens at. */
  readonly freeAddress: () => Promise<string>;
}

/** One end of a connection with everything that its owner heard. */
class Ear {
  readonly connection: ByteConnection;
  readonly heard: Uint8Array[] = [];
  heardBytes = 0;
  drains = 0;
  readonly closes: CloseReason[] = [];
  /** True while the test calls into the connection: no event may come then. */
  isCalling = false;
  #wake: (() => void) | null = null;

  constructor(connection: ByteConnection) {
    this.connection = connection;
  }

  listen(): this {
    this.connection.listen({
      onData: (chunk) => {
        this.#heardSomething();
        this.heard.push(chunk);
        this.heardBytes += chunk.length;
      },
      onDrain: () => {
        this.#heardSomething();
        this.drains++;
      },
      onClose: (reason) => {
        this.#heardSomething();
        this.closes.push(reason);
      },
    });
    return this;
  }

  /** Calls into the connection and checks that nothing is heard inside the call. */
  call<T>(action: (connection: ByteConnection) => T): T {
    this.isCalling = true;
    const result = action(this.connection);
    this.isCalling = false;
    return result;
  }

  async until(isReached: () => boolean): Promise<void> {
    while (!isReached()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  text(): string {
    return Buffer.concat(this.heard).toString("latin1");
  }

  #heardSomething(): void {
    if (this.isCalling) throw new Error("an event came inside a call of the owner");
    const wake = this.#wake;
    this.#wake = null;
    if (wake !== null) setImmediate(wake);
  }
}

export function testByteNetwork(name: string, make: () => ByteNetworkUnderTest): void {
  describe(`${name} as a byte network`, () => {
    orderAndBackPressure(make);
    endings(make);
    listening(make);
  });
}

function orderAndBackPressure(make: () => ByteNetworkUnderTest): void {
  test("delivers bytes in order and complete in both directions", async () => {
    const { near, far, close } = await connected(make());
    let sent = "";
    for (let i = 0; i < 500; i++) {
      const piece = `${i};`;
      sent += piece;
      near.call((connection) => connection.write(bytes(piece)));
      far.call((connection) => connection.write(bytes(piece)));
    }
    await far.until(() => far.heardBytes === sent.length);
    await near.until(() => near.heardBytes === sent.length);
    expect(far.text()).toBe(sent);
    expect(near.text()).toBe(sent);
    await close();
  });

  test("a writer that is ahead is told to stop and drains once the reader has resumed", async () => {
    const { near, far, close } = await connected(make());
    far.connection.pause();
    const chunk = new Uint8Array(64 * 1024).fill(7);
    let written = 0;
    let isTold = false;
    // A kernel takes some megabytes before it pushes back.
    while (!isTold && written < 256 * 1024 * 1024) {
      isTold = !near.call((connection) => connection.write(chunk));
      written += chunk.length;
      if (isTold && near.connection.bufferedBytes() === 0) isTold = false;
    }
    expect(isTold).toBe(true);
    expect(near.connection.bufferedBytes()).toBeGreaterThan(0);
    far.call((connection) => connection.resume());
    await near.until(() => near.drains > 0);
    expect(near.connection.bufferedBytes()).toBe(0);
    await far.until(() => far.heardBytes === written);
    await close();
  });

  test("a paused reader hears nothing until it resumes", async () => {
    const { near, far, close } = await connected(make());
    far.connection.pause();
    near.connection.write(bytes("held back"));
    // What goes the other way proves that time has passed.
    far.connection.write(bytes("ping"));
    await near.until(() => near.heardBytes === 4);
    expect(far.heardBytes).toBe(0);
    far.call((connection) => connection.resume());
    await far.until(() => far.heardBytes === 9);
    expect(far.text()).toBe("held back");
    await close();
  });

  test("what arrives before the owner listens waits for it", async () => {
    const { network, freeAddress } = make();
    const address = await freeAddress();
    const accepted = await accept(network, address);
    const near = new Ear(network.connect(address)).listen();
    near.connection.write(bytes("early"));
    const connection = await accepted.next();
    const far = new Ear(connection);
    far.call(() => far.listen());
    await far.until(() => far.heardBytes === 5);
    expect(far.text()).toBe("early");
    near.connection.destroy();
    await closeListener(accepted.listener);
  });
}

function endings(make: () => ByteNetworkUnderTest): void {
  test("end delivers what was queued before, and both sides hear of it once", async () => {
    const { near, far, listener } = await connected(make());
    const chunk = new Uint8Array(1024 * 1024).fill(1);
    near.connection.write(chunk);
    near.call((connection) => connection.end());
    await far.until(() => far.closes.length > 0);
    await near.until(() => near.closes.length > 0);
    expect(far.heardBytes).toBe(chunk.length);
    expect(far.closes).toEqual(["ended"]);
    expect(near.closes).toEqual(["local"]);
    await closeListener(listener);
  });

  test("destroy closes at once: a later event tells both sides", async () => {
    const { near, far, listener } = await connected(make());
    near.call((connection) => connection.destroy());
    await near.until(() => near.closes.length > 0);
    await far.until(() => far.closes.length > 0);
    expect(near.closes).toEqual(["local"]);
    expect(["ended", "reset"]).toContain(far.closes[0]);
    expect(near.connection.write(bytes("late"))).toBe(false);
    near.call((connection) => connection.destroy());
    await closeListener(listener);
    expect(near.closes.length).toBe(1);
    expect(far.closes.length).toBe(1);
  });

  test("a reader that destroys the connection in an event hears no more of its data", async () => {
    const { network, freeAddress } = make();
    const address = await freeAddress();
    const accepted = await accept(network, address);
    const near = new Ear(network.connect(address)).listen();
    const connection = await accepted.next();
    let chunks = 0;
    const isClosed = new Promise<CloseReason>((resolve) => {
      connection.listen({
        onData: () => {
          chunks++;
          connection.destroy();
        },
        onDrain: () => undefined,
        onClose: resolve,
      });
    });
    near.connection.write(bytes("one"));
    near.connection.write(bytes("two"));
    expect(await isClosed).toBe("local");
    expect(chunks).toBe(1);
    await near.until(() => near.closes.length > 0);
    await closeListener(accepted.listener);
  });
}

function listening(make: () => ByteNetworkUnderTest): void {
  test("connecting where nobody listens closes as refused", async () => {
    const { network, freeAddress } = make();
    const near = new Ear(network.connect(await freeAddress())).listen();
    await near.until(() => near.closes.length > 0);
    expect(near.closes).toEqual(["refused"]);
  });

  test("an address in use is a failure with a text, and free again after close", async () => {
    const { network, freeAddress } = make();
    const address = await freeAddress();
    const first = await accept(network, address);
    const failure = await new Promise<string | null>((resolve) => network.accept(address, () => undefined, resolve));
    expect(failure).toContain("in use");
    expect(failure).toContain(address);
    await closeListener(first.listener);
    const again = await accept(network, address);
    await closeListener(again.listener);
  });

  test("both ends know each other's addresses", async () => {
    const { near, far, close, address } = await connected(make());
    // The first bytes prove that the connection is established on both sides.
    far.connection.write(bytes("!"));
    await near.until(() => near.heardBytes === 1);
    expect(near.connection.remoteAddress).toBe(address);
    expect(far.connection.localAddress).toBe(address);
    expect(far.connection.remoteAddress).toBe(near.connection.localAddress);
    await close();
  });
}

interface Connected {
  readonly near: Ear;
  readonly far: Ear;
  readonly listener: ByteListener;
  readonly address: string;
  readonly close: () => Promise<void>;
}

async function connected({ network, freeAddress }: ByteNetworkUnderTest): Promise<Connected> {
  const address = await freeAddress();
  const accepted = await accept(network, address);
  const near = new Ear(network.connect(address)).listen();
  const far = new Ear(await accepted.next()).listen();
  const close = async (): Promise<void> => {
    near.connection.destroy();
    await near.until(() => near.closes.length > 0);
    await far.until(() => far.closes.length > 0);
    await closeListener(accepted.listener);
  };
  return { near, far, listener: accepted.listener, address, close };
}

async function accept(
  network: ByteNetwork,
  address: string,
): Promise<{ listener: ByteListener; next(): Promise<ByteConnection> }> {
  const connections: ByteConnection[] = [];
  let wake: (() => void) | null = null;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const listener = network.accept(
    address,
    (connection) => {
      connections.push(connection);
      wake?.();
    },
    (failure) => (failure === null ? resolve() : reject(new Error(failure))),
  );
  await promise;
  return {
    listener,
    next: async (): Promise<ByteConnection> => {
      while (connections.length === 0) {
        await new Promise<void>((arrived) => {
          wake = arrived;
        });
      }
      return connections.shift()!;
    },
  };
}

function closeListener(listener: ByteListener): Promise<void> {
  return new Promise((resolve) => listener.close(resolve));
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
