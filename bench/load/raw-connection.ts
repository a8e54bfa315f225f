/** A TCP connection that reads into one buffer of its own again and again: no allocation for a chunk. */
import { connect, type Socket } from "node:net";

const BUFFER_BYTES = 256 * 1024;
/** A process with thousands of connections reads little from each. */
export const SMALL_BUFFER_BYTES = 4 * 1024;

/** What came is in bytes[0, length), and gone after the call. */
export type OnBytes = (bytes: Buffer, length: number) => void;

export class RawConnection {
  readonly #socket: Socket;
  #onBytes: OnBytes = () => undefined;
  #onEnd: (error: Error) => void = () => undefined;
  #isOver = false;

  private constructor(port: number, bufferBytes: number) {
    this.#socket = connect({
      port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(bufferBytes),
        callback: (length: number, bytes: Uint8Array): boolean => {
          this.#onBytes(bytes as Buffer, length);
          return true;
        },
      },
    });
  }

  static open(port: number, bufferBytes: number = BUFFER_BYTES): Promise<RawConnection> {
    const connection = new RawConnection(port, bufferBytes);
    const socket = connection.#socket;
    return new Promise((opened, failed) => {
      socket.once("connect", () => opened(connection));
      socket.on("error", (error) => {
        failed(error);
        connection.#end(error);
      });
      socket.on("close", () => connection.#end(new Error("the server closed the connection")));
    });
  }

  /** From now on bytes go here; `onEnd` when the connection ends without `close`. */
  listen(onBytes: OnBytes, onEnd: (error: Error) => void): void {
    this.#onBytes = onBytes;
    this.#onEnd = onEnd;
  }

  /** The buffer must stay as it is until the server has answered. */
  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** What was written and the system does not take yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  close(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #end(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd(error);
  }
}
