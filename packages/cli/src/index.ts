export {
  changeReports,
  clusterTables,
  table,
  type ChangeReport,
  type GroupReport,
  type NodeReport,
} from "./cluster-table.ts";
export { compareLag, lagTable, ratesOf, type GroupLagReport, type GroupRates } from "./lag-table.ts";
export { byteSize, transferLine, type Transfer } from "./transfer-line.ts";
export {
  addedMessage,
  drainingMessage,
  expelledMessage,
  meantNode,
  notEmptyMessage,
  removedMessage,
  unknownNode,
} from "./member-messages.ts";
