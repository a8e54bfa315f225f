export { createGrpcPeerNetwork, type GrpcPeerNetwork, type GrpcPeerNetworkOptions } from "./grpc-peer-network.ts";
export { createMetaClient, type MetaClientOptions } from "./meta-client.ts";
export { isLoopbackHost, parseHostPort, formatHostPort, type HostPort } from "./host-port.ts";
export { createTcpNetwork, type TcpListener, type TcpNetwork, type TcpNetworkOptions } from "./tcp-network.ts";
export { createLoopbackNetwork } from "./loopback-network.ts";
export { createRoutedNetwork, LOOPBACK_PREFIX } from "./routed-network.ts";
