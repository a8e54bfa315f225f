/** `headrace up` as an operator meets it: the ready line, cluster.json, restarts, signals, and one clear line for each way in which it cannot start. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalCluster, processGone, signal } from "@headrace/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, ready, until } from "./connect.ts";

const main = fileURLToPath(new URL("../../packages/server/src/main.ts", import.meta.url));
const folders: string[] = [];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "headrace-life-"));
  folders.push(made);
  return made;
}

afterAll(() => {
  for (const made of folders) rmSync(made, { recursive: true, force: true });
});

/** Lines of the log in which a field stands more than once, which JSON forgives and readers do not see. */
function withFieldsTwice(log: string): readonly string[] {
  const lines = log.split("\n").filter((line) => line.startsWith("{"));
  expect(lines).not.toEqual([]);
  return lines.filter((line) => JSON.stringify(JSON.parse(line)) !== line);
}

function run(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const ended = spawnSync(process.execPath, [main, ...args], { encoding: "utf8", timeout: 60_000 });
  return { code: ended.status, stdout: ended.stdout, stderr: ended.stderr };
}

describe("a start that cannot be", () => {
  test("an unknown flag is wrong usage: exit code 2 and its name", () => {
    const { code, stderr, stdout } = run("up", "--sharks", "3");
    expect(code).toBe(2);
    expect(stderr).toContain("unknown option '--sharks'");
    expect(stdout).toBe("");
  });

  test("values out of range are all named at once", () => {
    const { code, stderr } = run("up", "--nodes", "0", "--ack", "some", "--port", "x");
    expect(code).toBe(2);
    expect(stderr).toContain("--nodes: must be at least 1");
    expect(stderr).toContain("--ack: must be one of all, 1, 0");
    expect(stderr).toContain("--port: must be an integer");
  });

  test("a foreign data directory is refused and left as it is", () => {
    const data = folder();
    writeFileSync(join(data, "holiday.txt"), "sun");
    const { code, stderr } = run("up", "--data", data, "--port", "0", "--http-port", "0", "--base-port", "31400");
    expect(code).toBe(1);
    expect(stderr).toMatch(/data directory .* is not empty and not Headrace's \(found holiday\.txt\)/);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(existsSync(join(data, "headrace.json"))).toBe(false);
  });

  test("a directory of a newer format is refused", () => {
    const data = folder();
    writeFileSync(join(data, "headrace.json"), '{"formatVersion":99,"kind":"cluster","fixed":{}}');
    const { code, stderr } = run("up", "--data", data, "--port", "0", "--http-port", "0", "--base-port", "31400");
    expect(code).toBe(1);
    expect(stderr).toContain("written by a newer Headrace");
  });

  test("flags that contradict the data are one clear error", () => {
    const data = folder();
    writeFileSync(join(data, "headrace.json"), '{"formatVersion":1,"kind":"cluster","fixed":{"nodes":3,"shards":8}}');
    const { code, stderr } = run("up", "--data", data, "--shards", "4", "--base-port", "31400");
    expect(code).toBe(1);
    expect(stderr).toMatch(/--shards 4 contradicts the data in .*, which was founded with shards 8/);
  });

  test("a data path below a file is one clear line", () => {
    const data = folder();
    writeFileSync(join(data, "file"), "");
    const { code, stderr } = run("up", "--data", join(data, "file", "below"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/data directory .* cannot be written/);
  });

  test("a port in use is named with the flag that changes it", async () => {
    const taken = createServer();
    await new Promise<void>((listening) => taken.listen(0, "127.0.0.1", () => listening()));
    const { port } = taken.address() as { port: number };
    const { code, stderr } = run("up", "--data", folder(), "--port", String(port), "--base-port", "31400");
    expect(code).toBe(1);
    expect(stderr.trim()).toBe(`headrace: 127.0.0.1:${port} is already in use; choose another with --port`);
    await new Promise((closed) => taken.close(closed));
  });

  test("a node on a public address without a secret says what is missing", () => {
    const { code, stderr } = run(
      "node",
      "--bind",
      "0.0.0.0",
      "--data",
      folder(),
      "--seeds",
      "127.0.0.1:31501",
      "--bootstrap-expect",
      "1",
    );
    expect(code).toBe(1);
    expect(stderr).toContain("HEADRACE_CLUSTER_SECRET");
  });
});

describe("a running cluster", () => {
  let cluster: LocalCluster;
  beforeAll(async () => {
    cluster = await LocalCluster.start({ flags: ["--shards", "3"] });
  });
  afterAll(async () => {
    await cluster.destroy();
  });

  test("cluster.json names every process and port", () => {
    const { gateways, nodes } = cluster.places();
    expect(gateways).toHaveLength(1);
    expect(gateways[0]).toMatchObject({ port: cluster.port, httpPort: cluster.httpPort });
    expect(nodes.map((node) => node.id)).toEqual([1, 2, 3]);
    for (const place of [...gateways, ...nodes]) expect(() => process.kill(place.pid, 0)).not.toThrow();
    for (const node of nodes) expect(existsSync(node.dir)).toBe(true);
  });

  test("every process answers /livez, /healthz, /readyz and /metrics", async () => {
    const { gateways, nodes } = cluster.places();
    for (const { httpPort } of [...gateways, ...nodes]) {
      for (const path of ["/livez", "/healthz", "/readyz"]) {
        const response = await fetch(`http://127.0.0.1:${httpPort}${path}`);
        expect(response.status, `${httpPort}${path}: ${await response.text()}`).toBe(200);
      }
      const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
      expect(metrics).toMatch(/^# HELP headrace_/m);
      expect(metrics).not.toMatch(/^headrace_[a-z_]*[A-Z]/m);
    }
    const node = await (await fetch(`http://127.0.0.1:${nodes[0]!.httpPort}/metrics`)).text();
    for (const name of [
      "headrace_raft_term",
      "headrace_raft_role",
      "headrace_raft_commit_index",
      "headrace_raft_applied_index",
    ]) {
      expect(node).toContain(name);
    }
    const gateway = await (await fetch(`http://127.0.0.1:${gateways[0]!.httpPort}/metrics`)).text();
    for (const name of ["headrace_commands_total", "headrace_connections"]) expect(gateway).toContain(name);
  });

  test("a child that dies is started again and the file says so", async () => {
    const before = cluster.places().gateways[0]!.pid;
    signal(before, "SIGKILL");
    await until(() => {
      const now = cluster.places().gateways[0]!.pid;
      return now !== before && now !== 0 ? now : null;
    });
    const redis = connect(cluster.url);
    await ready(redis);
    expect(await redis.ping()).toBe("PONG");
    redis.disconnect();
  });

  test("SIGTERM ends it with 0 within five seconds, and started again it serves the same data", async () => {
    const redis = connect(cluster.url);
    await ready(redis);
    const id = await redis.xadd("kept", "*", "f", "v");
    await redis.xgroup("CREATE", "kept", "g", "0");
    redis.disconnect();
    const pids = [...cluster.places().nodes, ...cluster.places().gateways].map((place) => place.pid);
    const { code, tookMs } = await cluster.stop();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(5000);
    await Promise.all(pids.map(processGone));
    await cluster.run();
    const again = connect(cluster.url);
    await ready(again);
    expect(await again.xrange("kept", "-", "+")).toEqual([[id, ["f", "v"]]]);
    expect(await again.xinfo("GROUPS", "kept")).toHaveLength(1);
    again.disconnect();
  });

  test("what the processes log are JSON lines in which each field stands once", () => {
    const logs = join(cluster.dataDirectory, "logs");
    const names = readdirSync(logs);
    expect(names).toHaveLength(4);
    expect(names.flatMap((name) => withFieldsTwice(readFileSync(join(logs, name), "utf8")))).toEqual([]);
  });

  test("the children end when their supervisor is killed", async () => {
    const pids = [...cluster.places().nodes, ...cluster.places().gateways].map((place) => place.pid);
    signal(cluster.pid, "SIGKILL");
    await Promise.all(pids.map(processGone));
    await cluster.run();
  });

  test("killed as a whole and started at once, it waits for the ports that the dead still hold", async () => {
    const pids = [...cluster.places().nodes, ...cluster.places().gateways].map((place) => place.pid);
    for (const pid of [cluster.pid, ...pids]) signal(pid, "SIGKILL");
    await cluster.run();
    const redis = connect(cluster.url);
    await ready(redis);
    expect(await redis.xlen("kept")).toBe(1);
    redis.disconnect();
  });
});

test("with --in-process one process serves, and stops on SIGINT", async () => {
  const data = folder();
  mkdirSync(data, { recursive: true });
  const child = spawn(
    process.execPath,
    [
      main,
      "up",
      "--in-process",
      "--data",
      join(data, "d"),
      "--port",
      "31600",
      "--http-port",
      "31601",
      "--base-port",
      "31610",
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => void (log += text));
  const exited = new Promise<number | null>((gone) => child.once("exit", (code) => gone(code)));
  const line = await new Promise<string>((firstLine) => {
    child.stdout.setEncoding("utf8").once("data", (text: string) => firstLine(text));
  });
  expect(line).toBe("headrace ready redis://127.0.0.1:31600 http://127.0.0.1:31601\n");
  const redis = connect("redis://127.0.0.1:31600");
  await ready(redis);
  expect(await redis.xadd("s", "1-1", "f", "v")).toBe("1-1");
  redis.disconnect();
  const places = JSON.parse(readFileSync(join(data, "d", "cluster.json"), "utf8")) as { nodes: { pid: number }[] };
  expect(places.nodes.map((node) => node.pid)).toEqual([child.pid, child.pid, child.pid]);
  child.kill("SIGINT");
  expect(await exited).toBe(0);
  expect(withFieldsTwice(log)).toEqual([]);
  for (const id of [1, 2, 3]) expect(log).toContain(`"instance":"node-${id}"`);
});
