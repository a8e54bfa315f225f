/**
 * The small HTTP port of every process: /metrics for Prometheus, /livez (= /healthz) for "is the loop turning", /readyz with the reasons when not,
 * /status for people and `headrace cluster`. Its own listener, so that nothing else can starve it.
 *
 * Liveness is never the quorum: a cluster that lost its majority must not be restarted pod by pod.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";

/** Not imported by name: an import asks such a module for all that it exports, and one of these brings in an HTTP client, which costs every start 40 ms. */
const { createServer } = process.getBuiltinModule("node:http");

export interface AdminViews {
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Empty: ready. */
  readonly unreadyReasons: () => readonly string[];
  readonly status: () => unknown;
}

export interface AdminHttp {
  close(): Promise<void>;
}

/** Listens; rejects with a one-line message when it cannot. */
export function serveAdmin(host: string, port: number, views: AdminViews): Promise<AdminHttp> {
  const server = createServer((request, response) => {
    try {
      answerRequest(request, response, views);
    } catch (error) {
      // Whoever looks at a process must not be able to stop it.
      answer(response, 500, "text/plain", `${String(error)}\n`);
    }
  });
  return listen(server, host, port);
}

function answerRequest(request: IncomingMessage, response: ServerResponse, views: AdminViews): void {
  const path = (request.url ?? "/").split("?")[0]!;
  if (request.method !== "GET" && request.method !== "HEAD") {
    answer(response, 405, "text/plain", "only GET\n");
    return;
  }
  switch (path) {
    case "/metrics":
      views.metrics().then(
        ({ contentType, text }) => answer(response, 200, contentType, text),
        (error: unknown) => answer(response, 500, "text/plain", `${String(error)}\n`),
      );
      return;
    case "/livez":
    case "/healthz":
      answer(response, 200, "text/plain", "ok\n");
      return;
    case "/readyz": {
      const reasons = views.unreadyReasons();
      answer(
        response,
        reasons.length === 0 ? 200 : 503,
        "text/plain",
        reasons.length === 0 ? "ok\n" : `${reasons.join("\n")}\n`,
      );
      return;
    }
    case "/status":
      answer(response, 200, "application/json", `${JSON.stringify(views.status())}\n`);
      return;
    default:
      answer(response, 404, "text/plain", "there are /metrics, /livez, /readyz, /healthz and /status\n");
  }
}

function answer(response: ServerResponse, code: number, contentType: string, body: string): void {
  response.writeHead(code, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

function listen(server: Server, host: string, port: number): Promise<AdminHttp> {
  return new Promise((ready, failed) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      failed(
        new Error(
          error.code === "EADDRINUSE" ? `${host}:${port} is already in use` : `${host}:${port}: ${error.message}`,
        ),
      );
    });
    server.listen(port, host, () => {
      ready({
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}
