/** The reply of a session command that asks somebody: written at once when the answer is known before the handler returns, else when it comes. */
import type { ReplyWriterApi } from "@headrace/resp";
import type { SessionContext } from "./command.ts";

export class NowOrLater {
  readonly #context: SessionContext;
  #isGiven: boolean;
  #later: ReturnType<SessionContext["defer"]> | null;

  constructor(context: SessionContext) {
    this.#context = context;
    this.#isGiven = false;
    this.#later = null;
  }

  give(write: (reply: ReplyWriterApi) => void): void {
    this.#isGiven = true;
    if (this.#later === null) write(this.#context.reply);
    else this.#later.resume(write);
  }

  /** The last word of the handler. */
  deferUnlessGiven(): void {
    if (!this.#isGiven) this.#later = this.#context.defer();
  }
}
