/**
 * What the public test suites for stream servers look at (Redis' unit/type/stream.tcl and stream-cgroups.tcl, 7.0 to 8.10), where it takes more
 * commands than a fixture should hold: many entries, nodes of another size, counters after long histories. The values are theirs, written down
 * from what the suites assert. `packages/commands/test/suite.test.ts` runs them against the handlers, `test/compat/suite.test.ts` against Redis.
 */
export interface SuiteCase {
  readonly name: string;
  /** 7: redis-server 7.0 answers so too. */
  readonly since: 7 | 8;
  readonly commands: readonly string[];
  /** Replies of the last commands, as redis-cli shows them. */
  readonly expected: readonly string[];
}

function times(count: number, command: (i: number) => string): string[] {
  return Array.from({ length: count }, (_, i) => command(i));
}

const DEFAULT_NODES = "CONFIG SET stream-node-max-entries 100 stream-node-max-bytes 4096";

/** The commands with nodes of so many entries, and back. */
function withNodes(entries: number, commands: readonly string[]): string[] {
  return [`CONFIG SET stream-node-max-entries ${entries}`, ...commands, DEFAULT_NODES];
}

const OK = "OK";
const integer = (value: number): string => `(integer) ${value}`;
const error = (text: string): string => `(error) ERR ${text}`;
const INVALID = error("Invalid stream ID specified as stream command argument");
const TOP = error("The ID specified in XADD is equal or smaller than the target stream top item");
const MAX = "18446744073709551615";

const adding: readonly SuiteCase[] = [
  {
    name: "MAXLEN ~ 555 over 1,000 adds leaves 600",
    since: 7,
    commands: [...times(1000, (i) => `XADD s MAXLEN ~ 555 * xitem ${i}`), "XLEN s", "XTRIM s MAXLEN ~ 444", "XLEN s"],
    expected: [integer(600), integer(100), integer(500)],
  },
  {
    name: "MAXLEN = keeps the last five, whatever the fields are called",
    since: 7,
    commands: [...times(100, (i) => `XADD s MAXLEN = 5 ${i + 1}-0 ${i % 9 === 0 ? "y" : "x"}item ${i}`), "XLEN s"],
    expected: [integer(5)],
  },
  {
    name: "MINID trims while adding",
    since: 7,
    commands: [...times(1000, (i) => `XADD s MINID 995 ${i + 1} xitem ${i + 1}`), "XLEN s", "XRANGE s - + COUNT 1"],
    expected: [integer(6), '1) 1) "995-0"\n   2) 1) "xitem"\n      2) "995"'],
  },
  {
    name: "LIMIT removes no more than it says, node by node",
    since: 7,
    commands: withNodes(10, [
      ...times(100, () => "XADD s * xitem v"),
      "XADD s MAXLEN ~ 55 LIMIT 30 * xitem v",
      "XLEN s",
      "XADD s MAXLEN ~ 55 LIMIT 30 * xitem v",
      "XLEN s",
      "XLEN s",
    ]),
    expected: [integer(62), integer(62), OK],
  },
  {
    name: "LIMIT below a node's size removes nothing",
    since: 7,
    commands: withNodes(2, [
      ...times(3, () => "XADD s * xitem v"),
      "XADD s MAXLEN ~ 0 LIMIT 1 * xitem v",
      "XLEN s",
      "XTRIM s MAXLEN ~ 0 LIMIT 1",
      "XTRIM s MAXLEN ~ 0 LIMIT 2",
      "XTRIM s MAXLEN ~ 0 LIMIT 0",
      "XLEN s",
    ]),
    expected: [integer(4), integer(0), integer(2), integer(2), integer(0), OK],
  },
  {
    name: "~ without LIMIT is limited to a hundred nodes, = is not",
    since: 7,
    commands: withNodes(1, [
      ...times(102, () => "XADD s * xitem v"),
      "XTRIM s MAXLEN ~ 1",
      "XLEN s",
      ...times(102, () => "XADD t * xitem v"),
      "XTRIM t MAXLEN 1",
      ...times(102, (i) => `XADD u ${i + 1}-0 xitem v`),
      "XTRIM u MINID ~ 102",
      "XTRIM u MINID ~ 102",
      "XTRIM u MAXLEN ~ 1 LIMIT 0",
    ]),
    expected: [integer(100), integer(1), integer(0), OK],
  },
  {
    name: "nodes without a bound of entries: ~ keeps everything, and its default limit is 10,000",
    since: 7,
    commands: [
      "CONFIG SET stream-node-max-entries 0 stream-node-max-bytes 0",
      ...times(300, (i) => `XADD s ${i + 1}-0 f v`),
      "XTRIM s MAXLEN ~ 1",
      "XTRIM s MAXLEN ~ 0",
      "XLEN s",
      DEFAULT_NODES,
    ],
    expected: [integer(0), integer(300), integer(0), OK],
  },
  {
    name: "a node ends at its bytes too, names that repeat are stored once",
    since: 7,
    commands: [
      "CONFIG SET stream-node-max-bytes 300",
      ...times(40, (i) => `XADD t ${i + 1}-0 name${i} ${"v".repeat(20)}`),
      ...times(40, (i) => `XADD s ${i + 1}-0 name ${"v".repeat(20)}`),
      "XTRIM s MAXLEN ~ 30",
      "XTRIM s MAXLEN ~ 20 LIMIT 5",
      "XTRIM s MINID ~ 36",
      "XLEN s",
      "XTRIM t MAXLEN ~ 30",
      "XLEN t",
      DEFAULT_NODES,
    ],
    expected: [integer(9), integer(0), integer(18), integer(13), integer(7), integer(33), OK],
  },
  {
    name: "an entry as large as a node stands alone",
    since: 7,
    commands: [
      ...times(3, (i) => `XADD s ${i + 1}-0 f ${"x".repeat(5000)}`),
      ...times(3, (i) => `XADD s ${i + 4}-0 f v`),
      "XTRIM s MAXLEN ~ 4",
      "XTRIM s MAXLEN ~ 3",
      "XTRIM s MAXLEN ~ 0",
      "XLEN s",
    ],
    expected: [integer(2), integer(1), integer(3), integer(0)],
  },
  {
    name: "a node whose entries are all deleted is gone: the next entry joins the one before if that has room",
    since: 7,
    commands: [
      "CONFIG SET stream-node-max-bytes 200",
      "XADD s 1-0 f v",
      `XADD s 2-0 f ${"x".repeat(190)}`,
      "XDEL s 2-0",
      "XADD s 3-0 f v",
      "XTRIM s MAXLEN ~ 1",
      `XADD s 4-0 f ${"x".repeat(190)}`,
      "XTRIM s MAXLEN ~ 1",
      "XLEN s",
      DEFAULT_NODES,
    ],
    expected: [integer(0), '"4-0"', integer(2), integer(1), OK],
  },
  {
    name: "MAXLEN 0 makes an empty stream that stays",
    since: 7,
    commands: ["XADD s MAXLEN 0 1-1 a b", "EXISTS s", "XLEN s", "XADD s 1-1 a b", "XADD s MAXLEN 0 1-* a b", "XLEN s"],
    expected: ['"1-1"', integer(1), integer(0), TOP, '"1-2"', integer(0)],
  },
];

const ids: readonly SuiteCase[] = [
  {
    name: "ms-* takes the next sequence of the last ms, 0 of a later one, none of an earlier one",
    since: 7,
    commands: ["XADD s 123-456 f v", "XADD s 123-* f v", "XADD s 789-* f v", "XADD s 42-* f v", "XADD s 789-* f v"],
    expected: ['"123-456"', '"123-457"', '"789-0"', TOP, '"789-1"'],
  },
  {
    name: "ms-* with every sequence taken is refused",
    since: 8,
    commands: [`XADD s 1-${MAX} f v`, "XADD s 1-* f v", "XADD s 2-* f v"],
    expected: [`"1-${MAX}"`, TOP, '"2-0"'],
  },
  {
    name: "* goes on behind the last id, over the end of its millisecond",
    since: 7,
    commands: [
      `XADD s 2577343934890-${MAX} f v`,
      "XADD s * f v",
      "XADD s * f v",
      `XADD t ${MAX}-5 f v`,
      "XADD t * f v",
    ],
    expected: [`"2577343934890-${MAX}"`, '"2577343934891-0"', '"2577343934891-1"', `"${MAX}-5"`, `"${MAX}-6"`],
  },
  {
    name: "XREAD behind the last sequence of a millisecond",
    since: 7,
    commands: [
      "XADD s 1-1 f v",
      `XADD s 1-${MAX} f v`,
      "XADD s 2-1 f w",
      `XREAD STREAMS s 1-${MAX}`,
      `XREAD STREAMS s 2-1`,
    ],
    expected: ['1) 1) "s"\n   2) 1) 1) "2-1"\n         2) 1) "f"\n            2) "w"', "(nil)"],
  },
  {
    name: "ranges whose ends are left out, at both ends of the id space",
    since: 7,
    commands: [
      ...["0-1", `0-${MAX}`, "1-0", "42-0", "42-42", `${MAX}-18446744073709551614`, `${MAX}-${MAX}`].map(
        (id) => `XADD s ${id} foo bar`,
      ),
      "XRANGE s (0-1 (1-0",
      "XRANGE s (1-0 (42-42",
      "XRANGE s (- +",
      "XRANGE s - (+",
      `XRANGE s (${MAX}-${MAX} +`,
      "XRANGE s - (0-0",
      `XREVRANGE s (${MAX}-18446744073709551614 (42`,
      `XRANGE s (${MAX} +`,
      `XREVRANGE s + (${MAX}`,
      `XRANGE s (42-0 (42`,
    ],
    expected: [
      `1) 1) "0-${MAX}"\n   2) 1) "foo"\n      2) "bar"`,
      '1) 1) "42-0"\n   2) 1) "foo"\n      2) "bar"',
      INVALID,
      INVALID,
      error("invalid start ID for the interval"),
      error("invalid end ID for the interval"),
      '1) 1) "42-42"\n   2) 1) "foo"\n      2) "bar"',
      `1) 1) "${MAX}-18446744073709551614"\n   2) 1) "foo"\n      2) "bar"\n2) 1) "${MAX}-${MAX}"\n   2) 1) "foo"\n      2) "bar"`,
      `1) 1) "${MAX}-${MAX}"\n   2) 1) "foo"\n      2) "bar"\n2) 1) "${MAX}-18446744073709551614"\n   2) 1) "foo"\n      2) "bar"`,
      '1) 1) "42-42"\n   2) 1) "foo"\n      2) "bar"',
    ],
  },
  {
    name: "a whole stream read in steps of 100, forwards and backwards",
    since: 7,
    commands: [
      ...times(1000, (i) => `XADD s ${i + 1}-0 i ${i}`),
      "XRANGE s (500-0 + COUNT 1",
      "XREVRANGE s (500-0 - COUNT 1",
      "XRANGE s 999 + COUNT 100",
      "XRANGE s - + COUNT 0",
      "XRANGE s - + COUNT -1",
      "XREVRANGE s 1245 - COUNT 1",
    ],
    expected: [
      '1) 1) "501-0"\n   2) 1) "i"\n      2) "500"',
      '1) 1) "499-0"\n   2) 1) "i"\n      2) "498"',
      '1) 1) "999-0"\n   2) 1) "i"\n      2) "998"\n2) 1) "1000-0"\n   2) 1) "i"\n      2) "999"',
      "(nil)",
      "(nil)",
      '1) 1) "1000-0"\n   2) 1) "i"\n      2) "999"',
    ],
  },
];

/** Position, counter and lag of group g as XINFO GROUPS shows them, null for unknown. */
function group(pending: number, lastId: string, entriesRead: number | null, lag: number | null): string {
  const shown = (value: number | null): string => (value === null ? "(nil)" : integer(value));
  const fields = [
    ["name", '"g"'],
    ["consumers", integer(1)],
    ["pending", integer(pending)],
    ["last-delivered-id", `"${lastId}"`],
    ["entries-read", shown(entriesRead)],
    ["lag", shown(lag)],
  ];
  const lines = fields.flatMap(([name, value]) => [`"${name}"`, value!]);
  return lines.map((line, i) => `${i === 0 ? "1) " : "   "}${String(i + 1).padStart(2)}) ${line}`).join("\n");
}

const five = times(5, (i) => `XADD s ${i + 1}-0 data ${i}`);
const read = (count: number): string => `XREADGROUP GROUP g c COUNT ${count} STREAMS s >`;
/** Commands whose replies the case does not look at come first: what is shown is XINFO GROUPS, each time. */
const lagAfter = (...commands: readonly string[]): string[] => [...commands, "XINFO GROUPS s"];

interface LagStep {
  readonly run: readonly string[];
  readonly shows: string;
}

/** One case for each step, since only its last reply is looked at. */
function lagCases(name: string, since: 7 | 8, begin: readonly string[], steps: readonly LagStep[]): SuiteCase[] {
  return steps.map(({ shows }, at) => ({
    name: `${name}, step ${at + 1}`,
    since,
    commands: lagAfter(...begin, ...steps.slice(0, at + 1).flatMap(({ run }) => run)),
    expected: [shows],
  }));
}

const created = ["XGROUP CREATE s g 0", "XGROUP CREATECONSUMER s g c"];

const lag: readonly SuiteCase[] = [
  ...lagCases(
    "counter and lag without deletions",
    7,
    [...five, ...created],
    [
      { run: [], shows: group(0, "0-0", null, 5) },
      { run: [read(1)], shows: group(1, "1-0", 1, 4) },
      { run: [read(1)], shows: group(2, "2-0", 2, 3) },
      { run: [read(10)], shows: group(5, "5-0", 5, 0) },
      { run: ["XADD s 6-0 data f"], shows: group(5, "5-0", 5, 1) },
    ],
  ),
  ...lagCases(
    "lag with a deletion ahead of the group",
    7,
    [...five, "XDEL s 3-0", ...created],
    [
      { run: [], shows: group(0, "0-0", null, null) },
      { run: [read(1)], shows: group(1, "1-0", null, null) },
      { run: [read(1)], shows: group(2, "2-0", null, null) },
      { run: [read(1)], shows: group(3, "4-0", null, null) },
      { run: [read(1)], shows: group(4, "5-0", 5, 0) },
      { run: ["XADD s 6-0 data f"], shows: group(4, "5-0", 5, 1) },
      { run: ["XTRIM s MINID = 3-0"], shows: group(4, "5-0", 5, 1) },
      { run: ["XGROUP SETID s g 3-0"], shows: group(4, "3-0", null, 3) },
      { run: ["XADD s 7-0 data g"], shows: group(4, "3-0", null, 4) },
      { run: ["XDEL s 4-0"], shows: group(4, "3-0", null, 3) },
    ],
  ),
  ...lagCases(
    "lag with a tombstone behind the group's position",
    8,
    [...five, ...created, read(1), "XDEL s 1-0"],
    [
      { run: [], shows: group(1, "1-0", 1, 4) },
      { run: ["XDEL s 2-0"], shows: group(1, "1-0", 1, 3) },
      { run: [read(1)], shows: group(2, "3-0", 3, 2) },
      { run: ["XDEL s 3-0 4-0 5-0"], shows: group(2, "3-0", 3, 0) },
      { run: ["XADD s 6-0 data f"], shows: group(2, "3-0", 3, 1) },
    ],
  ),
  ...lagCases(
    "lag after everything was trimmed away",
    8,
    [...five, ...created, read(2)],
    [
      { run: ["XTRIM s MAXLEN 0"], shows: group(2, "2-0", 2, 0) },
      { run: ["XADD s 6-0 data f"], shows: group(2, "2-0", 2, 1) },
      { run: ["XADD s 7-0 data g", read(1)], shows: group(3, "6-0", 6, 1) },
    ],
  ),
  ...lagCases(
    "a group made at the end",
    7,
    [...five, "XGROUP CREATE s g $", "XGROUP CREATECONSUMER s g c"],
    [
      { run: [], shows: group(0, "5-0", null, 0) },
      { run: ["XADD s 6-0 data f"], shows: group(0, "5-0", null, null) },
      { run: [read(1)], shows: group(1, "6-0", 6, 0) },
    ],
  ),
  ...lagCases(
    "ENTRIESREAD is believed, and capped",
    8,
    [...five, ...created],
    [
      { run: ["XGROUP SETID s g 2-0 ENTRIESREAD 2"], shows: group(0, "2-0", 2, 3) },
      { run: ["XGROUP SETID s g 2-0 ENTRIESREAD 99"], shows: group(0, "2-0", 5, 0) },
      { run: ["XGROUP SETID s g 2-0 ENTRIESREAD -1"], shows: group(0, "2-0", null, null) },
      { run: ["XGROUP SETID s g 1-0"], shows: group(0, "1-0", null, 4) },
      { run: ["XGROUP SETID s g +"], shows: group(0, `${MAX}-${MAX}`, null, null) },
    ],
  ),
];

export const suiteCases: readonly SuiteCase[] = [...adding, ...ids, ...lag];
