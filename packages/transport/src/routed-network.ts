/**
 * One byte network out of two: addresses that begin with `loopback:` stay in the process, all others go over TCP.
 */
import type { ByteNetwork } from "@headrace/ports";

export const LOOPBACK_PREFIX = "loopback:";

export function createRoutedNetwork(networks: {
  readonly loopback: ByteNetwork;
  readonly tcp: ByteNetwork;
}): ByteNetwork {
  const networkOf = (address: string): ByteNetwork =>
    address.startsWith(LOOPBACK_PREFIX) ? networks.loopback : networks.tcp;
  return {
    connect: (address) => networkOf(address).connect(address),
    accept: (address, onConnection, onListening) => networkOf(address).accept(address, onConnection, onListening),
  };
}
