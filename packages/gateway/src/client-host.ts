/** What a client connection needs of the gateway. */
import type { Request } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import type { LaneCore } from "./lane-core.ts";

export interface ClientHost extends LaneCore {
  readonly wallMs: number;
  /** One request, to be routed or answered; `request` is valid during the call only. */
  dispatch(client: ClientConnection, request: Request): void;
  /** The client sent what is no RESP: it gets Redis' text after its earlier replies, then it is closed. */
  protocolError(client: ClientConnection, text: string): void;
  /** `client.pump` is to be called at the end of this turn. */
  wake(client: ClientConnection): void;
  /** `client.flushTurn` is to be called at the end of this turn. */
  dirty(client: ClientConnection): void;
  clientGone(client: ClientConnection): void;
}
