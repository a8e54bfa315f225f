/** What stands in our tables and is not asked of redis-server 7.0.15 in a differential run, and why. */
export const notAsked = {
  /** Words of a command's syntax that 7.0 does not know, that only one of the two can do, or that take replies away. */
  words: {
    xadd: ["ACK", "KEEPREF", "DELREF", "ACKED", "IDMP", "IDMPAUTO", "0", "1", "ALL"],
    "client|reply": ["OFF", "SKIP"],
    "client|kill": ["MAXAGE"],
    "client|tracking": ["ON", "REDIRECT", "PREFIX", "BCAST", "OPTIN", "OPTOUT", "NOLOOP"],
    xtrim: ["KEEPREF", "DELREF", "ACKED"],
    xread: ["MAXCOUNT", "MAXSIZE"],
    xreadgroup: ["MAXCOUNT", "MAXSIZE", "CLAIM"],
  } as Readonly<Record<string, readonly string[]>>,
  /** Texts of the catalogue, by their names there, that 7.0 has and no sequence can bring about. */
  errors: {
    wrongType: "there are only streams",
    elementsTooLarge: "needs gigabytes",
    badDump: "a damaged payload with a checksum that is right",
    crossSlot: "Redis has it only with cluster-enabled",
    noShutdown: "ends the process",
    invalidSlot: "Redis has it only with cluster-enabled",
    invalidSlotOrCount: "Redis has it only with cluster-enabled",
    invalidOrOutOfRangeSlot: "Redis has it only with cluster-enabled",
    unknownNode: "Redis has it only with cluster-enabled",
    monitorInsideMulti: "of a command that is not compared",
    functionPolicy: "of a command that is not compared",
    functionNotFound: "there are no scripts here",
    noScript: "there are no scripts here",
    scriptDebug: "there are no scripts here",
    tooManyKeys: "there are no scripts here",
    negativeKeys: "there are no scripts here",
    slowLogCount: "of a command that is not compared",
    aclUserNotFound: "of a command that is not compared",
    unknownAclCategory: "of a command that is not compared",
    unknownAclCommand: "of a command that is not compared",
    givenTwice: "of an option that 7.0 does not know",
    notWhileSubscribed: "of a connection that subscribes",
    notInsideMulti: "of commands that are not compared",
  } as Readonly<Record<string, string>>,
};
