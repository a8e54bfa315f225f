export { clusterTables, table, type GroupReport, type NodeReport } from "./cluster-table.ts";
