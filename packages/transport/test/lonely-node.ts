/** Node 2 in a process of its own, to be killed: dials node 1 at the address given, prints its own. */
import { TestNode } from "./test-node.ts";

const node = (await new TestNode(2).start()).identify();
node.network.setPeers([{ nodeId: 1, address: process.argv[2]! }]);
console.log(node.address);
