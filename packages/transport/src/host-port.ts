/**
 * `host:port` texts, IPv6-safe: `[::1]:7400` and, since the last colon always stands before the port, `::1:7400` too. Knows which hosts
 * stay on this machine: without a cluster secret only those may be bound or dialled. Opens nothing, resolves nothing.
 */
import { BlockList, isIP } from "node:net";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Null when the text is not `host:port` with a port in 0 … 65535. */
export function parseHostPort(address: string): HostPort | null {
  const colon = address.lastIndexOf(":");
  if (colon <= 0) return null;
  const portText = address.slice(colon + 1);
  if (!/^\d{1,5}$/.test(portText)) return null;
  const port = Number(portText);
  if (port > 65_535) return null;
  let host = address.slice(0, colon);
  if (host.startsWith("[") && host.endsWith("]")) host = host.slice(1, -1);
  if (host === "" || host.includes("[") || host.includes("]")) return null;
  if (host.includes(":") && isIP(host) !== 6) return null;
  return { host, port };
}

export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Names other than `localhost` are not looked up: they count as remote. */
export function isLoopbackHost(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === "localhost";
  return loopback.check(host, family === 4 ? "ipv4" : "ipv6");
}
