import type { ByteNetwork } from "./byte-connection.ts";
import type { Clock, Digest, Random, Scheduler } from "./clock.ts";
import type { KvStore } from "./kv-store.ts";
import type { Logger, RecordStore } from "./observe.ts";
import type { MetaClient, PeerNetwork } from "./peer-network.ts";
import type { SegmentDisk } from "./segment-disk.ts";
import type { SpaceProbe } from "./space-probe.ts";

/** Everything a storage node touches. Two wirings build it: `server` for real, `sim` from one seed. */
export interface NodeWorld {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly digest: Digest;
  readonly segmentDisk: SegmentDisk;
  readonly kvStore: KvStore;
  readonly recordStore: RecordStore;
  readonly spaceProbe: SpaceProbe;
  readonly peerNetwork: PeerNetwork;
  readonly logger: Logger;
}

/** Everything a gateway touches. */
export interface GatewayWorld {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly digest: Digest;
  /** Clients come in and links go out here; both are plain byte connections. */
  readonly network: ByteNetwork;
  readonly metaClient: MetaClient;
  readonly logger: Logger;
}
