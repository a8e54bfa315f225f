/**
 * Options of gRPC channels and servers, with the reasons. One place, so that both sides stay in step.
 */
import { logVerbosity, setLogVerbosity, type ChannelOptions } from "@grpc/grpc-js";

// grpc-js writes lines of its own to standard error; every failure it tells there also reaches a callback, and so our logs.
setLogVerbosity(logVerbosity.NONE);

// HTTP/2's default window is 64 KiB: 131 MB/s at 0.5 ms of round trip. grpc-js lets only the client raise it; therefore bulk flows from
// server to client (measured 485 MB/s → 3.0 GB/s at 64 KiB frames).
const WINDOW_BYTES = 16 * 1024 * 1024;

// Frames are ≤ 1 MiB but for one that holds a single larger log entry.
export const MESSAGE_BYTES_MAX: number = 80 * 1024 * 1024;

const plain: ChannelOptions = {
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  // Equal targets would share one TCP connection otherwise, and one back-off.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.keepalive_time_ms": 5_000,
  "grpc.keepalive_timeout_ms": 2_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc.max_send_message_length": -1,
};

/** A node's own streams to its peers, one connection each. */
export const peerChannelOptions: ChannelOptions = {
  ...plain,
  "grpc-node.flow_control_window": WINDOW_BYTES,
  "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
};

export const metaChannelOptions: ChannelOptions = { ...plain, "grpc.max_receive_message_length": MESSAGE_BYTES_MAX };

export const serverOptions: ChannelOptions = {
  "grpc.max_send_message_length": -1,
  // Only handshakes and requests of the meta service arrive here, some of them before any proof.
  "grpc.max_receive_message_length": 4 * 1024 * 1024,
  // Only to free what silent peers leave behind: the dialling side notices silence sooner.
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
};
