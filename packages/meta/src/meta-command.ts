/**
 * What can be asked of the metadata group. A command travels as JSON inside one log entry: `{"formatVersion":1,"kind":…}`. Cold path:
 * readability counts, bytes do not.
 */
import { utf8, utf8Bytes } from "@headrace/bytes";
import { booleanOf, idsOf, MetaFormatError, numberOf, objectOf, stringOf } from "./json-shape.ts";
import type { JsonObject } from "./json-shape.ts";
import { parseDuty } from "./node-duty.ts";
import type { NodeDuty } from "./node-duty.ts";

/** Where a node is found. Peer and http addresses are `host:port`; the announced ones are what redirects and CLUSTER answers name. */
export interface NodeAddresses {
  readonly peerAddress: string;
  readonly dataAddress: string;
  readonly httpAddress: string;
  readonly announceHost: string;
  readonly announcePort: number;
}

export type MetaCommand =
  /** A node wants to be part of the cluster. Repeating it with the same token changes nothing but addresses. */
  | {
      readonly kind: "registerNode";
      readonly joinToken: string;
      readonly addresses: NodeAddresses;
    }
  /** A known node says where it is now. */
  | { readonly kind: "updateNode"; readonly nodeId: number; readonly addresses: NodeAddresses }
  /** CONFIG SET of a setting of the whole cluster. */
  | { readonly kind: "setSetting"; readonly name: string; readonly value: string }
  /** `active` adds a node, `draining` empties it, `quarantined` and `expelled` give up what it holds. */
  | { readonly kind: "setDuty"; readonly nodeId: number; readonly duty: NodeDuty }
  /** A node that holds nothing leaves; its id is never used again. */
  | { readonly kind: "removeNode"; readonly nodeId: number }
  /** The stages of a change of a group's members: group-change.ts. */
  | {
      readonly kind: "beginChange";
      readonly groupId: number;
      readonly addNodeIds: readonly number[];
      readonly removeReplicaIds: readonly number[];
    }
  /** A change that only removes, with a mark. Logs hold such changes as `beginChange` too: without. */
  | { readonly kind: "beginRemoval"; readonly groupId: number; readonly removeReplicaIds: readonly number[] }
  | { readonly kind: "advanceChange"; readonly groupId: number; readonly changeId: number }
  | { readonly kind: "cancelChange"; readonly groupId: number; readonly changeId: number }
  | { readonly kind: "finishChange"; readonly groupId: number; readonly changeId: number; readonly isDone: boolean }
  /** Who should lead a shard when nothing speaks against it. */
  | { readonly kind: "setPreferred"; readonly groupId: number; readonly replicaId: number };

/** `nodeId` is 0 where the command names none. `error` is for people. */
export type MetaOutcome =
  | { readonly ok: true; readonly nodeId: number }
  | { readonly ok: false; readonly error: string };

/** The log holds a command that this program does not know: the replica must stop, never skip. */
export class UnknownMetaCommandError extends Error {
  override name: string = "UnknownMetaCommandError";
}

const COMMAND_FORMAT_VERSION = 1;

export function encodeMetaCommand(command: MetaCommand): Uint8Array {
  return utf8Bytes(JSON.stringify({ formatVersion: COMMAND_FORMAT_VERSION, ...command }));
}

/** Throws UnknownMetaCommandError for kinds and versions that are not ours, MetaFormatError for damage. */
export function decodeMetaCommand(bytes: Uint8Array): MetaCommand {
  let parsed: unknown;
  try {
    parsed = JSON.parse(utf8(bytes));
  } catch {
    throw new MetaFormatError("a metadata command is no JSON");
  }
  return parseMetaCommand(parsed);
}

export function parseMetaCommand(value: unknown): MetaCommand {
  const fields = objectOf(value, "command");
  const version = fields["formatVersion"] ?? COMMAND_FORMAT_VERSION;
  if (version !== COMMAND_FORMAT_VERSION) {
    throw new UnknownMetaCommandError(`metadata command of format ${JSON.stringify(version)}`);
  }
  const kind = stringOf(fields, "kind");
  switch (kind) {
    case "registerNode":
      return {
        kind,
        joinToken: stringOf(fields, "joinToken"),
        addresses: parseAddresses(fields["addresses"]),
      };
    case "updateNode":
      return {
        kind,
        nodeId: numberOf(fields, "nodeId"),
        addresses: parseAddresses(fields["addresses"]),
      };
    case "setSetting":
      return { kind, name: stringOf(fields, "name"), value: stringOf(fields, "value") };
    default:
      return parseMembershipCommand(kind, fields);
  }
}

function parseMembershipCommand(kind: string, fields: JsonObject): MetaCommand {
  switch (kind) {
    case "setDuty":
      return { kind, nodeId: numberOf(fields, "nodeId"), duty: parseDuty(fields["duty"]) };
    case "removeNode":
      return { kind, nodeId: numberOf(fields, "nodeId") };
    case "beginChange":
      return {
        kind,
        groupId: numberOf(fields, "groupId"),
        addNodeIds: idsOf(fields, "addNodeIds"),
        removeReplicaIds: idsOf(fields, "removeReplicaIds"),
      };
    case "beginRemoval":
      return { kind, groupId: numberOf(fields, "groupId"), removeReplicaIds: idsOf(fields, "removeReplicaIds") };
    case "advanceChange":
    case "cancelChange":
      return { kind, groupId: numberOf(fields, "groupId"), changeId: numberOf(fields, "changeId") };
    case "finishChange": {
      const isDone = booleanOf(fields, "isDone");
      return { kind, groupId: numberOf(fields, "groupId"), changeId: numberOf(fields, "changeId"), isDone };
    }
    case "setPreferred":
      return { kind, groupId: numberOf(fields, "groupId"), replicaId: numberOf(fields, "replicaId") };
    default:
      throw new UnknownMetaCommandError(`unknown metadata command ${kind}`);
  }
}

export function parseAddresses(value: unknown): NodeAddresses {
  const fields = objectOf(value, "addresses");
  return {
    peerAddress: stringOf(fields, "peerAddress"),
    dataAddress: stringOf(fields, "dataAddress"),
    httpAddress: stringOf(fields, "httpAddress"),
    announceHost: stringOf(fields, "announceHost"),
    announcePort: numberOf(fields, "announcePort"),
  };
}
