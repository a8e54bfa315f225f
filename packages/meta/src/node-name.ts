/**
 * A node's name in Redis' form, 40 hex characters, from cluster id and node id: the same at every gateway and node, without being stored.
 */
import { crc32, utf8Bytes } from "@headrace/bytes";

export function nodeName(clusterId: string, nodeId: number): string {
  let name = "";
  for (let part = 0; part < 5; part++) {
    const digest = crc32(utf8Bytes(`${part}:${clusterId}:${nodeId}`)) >>> 0;
    name += digest.toString(16).padStart(8, "0");
  }
  return name;
}
