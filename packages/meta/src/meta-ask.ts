/**
 * What anyone with the cluster's secret may ask any node (the `meta` service). Bodies are JSON. A node that can't answer by itself passes
 * the question to one that can, so that gateways and operators need not know who leads the metadata group.
 *
 *   state       {knownVersion?}                 ─► {state} or {}      the cluster state as this node knows it, if it is newer
 *   status      {}                              ─► {status}           of this node, for people and metrics
 *   setSetting  {name, value}                   ─► {} or {error}      CONFIG SET of a cluster setting; answered when committed
 *   join        {joinToken, addresses}          ─► {nodeId, state}    an empty node wants to be registered
 *   setDuty     {nodeId, duty}                  ─► {} or {error}      cluster add (active), drain (draining), remove --force (expelled); a node
 *                                                                     whose data is damaged asks for `quarantined`, and for `active` when it is empty
 *   removeNode  {nodeId}                        ─► {} or {error}      a node that holds nothing leaves
 *   backupOpen  {shardId}                       ─► {backupId, index, term, logTimeMs, slots} or {error, leaderNodeId}   of the shard's leader
 *   backupRows  {backupId, after: hex of a row} ─► rows behind it in the payload, or {error, gone}
 *   backupClose {backupId}                      ─► {}
 *   propose     {command}                       ─► {nodeId, state} or {error, leaderNodeId}   between nodes: never passed on
 *
 * A refusal has `ok: false` and a text in `error`; `retry: true` says that nothing happened or that repeating is harmless.
 */
export const MetaAsk = {
  state: "state",
  status: "status",
  setSetting: "setSetting",
  join: "join",
  setDuty: "setDuty",
  removeNode: "removeNode",
  propose: "propose",
  backupOpen: "backupOpen",
  backupRows: "backupRows",
  backupClose: "backupClose",
} as const;
