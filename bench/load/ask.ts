/** One request on a connection of its own. */
import { RawConnection } from "./raw-connection.ts";
import { ReplyCounter } from "./reply-counter.ts";
import { requestBytes } from "./request-bytes.ts";

/** Answers the reply as text; errors reject. */
export async function ask(port: number, words: readonly string[]): Promise<string> {
  const connection = await RawConnection.open(port);
  const counter = new ReplyCounter();
  let text = "";
  try {
    await new Promise<void>((answered, failed) => {
      connection.listen((bytes, length) => {
        text += bytes.toString("latin1", 0, length);
        counter.feed(bytes, 0, length);
        if (counter.errors > 0) failed(new Error(`${words[0]}: ${counter.firstError}`));
        else if (counter.replies > 0) answered();
      }, failed);
      connection.write(requestBytes(words));
    });
  } finally {
    connection.close();
  }
  return text;
}
