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
  } as Readonly<Record<string, string>>,
};
