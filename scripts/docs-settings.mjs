// `npm run docs:settings`: writes the table of settings into the README, between its markers.
import { readFileSync, writeFileSync } from "node:fs";
import { settingsTable } from "../packages/server/src/settings-table.ts";

const path = new URL("../README.md", import.meta.url);
const text = readFileSync(path, "utf8");
const next = text.replace(
  /(<!-- settings -->\n)[^]*?(<!-- \/settings -->)/,
  (_, open, close) => `${open}${settingsTable()}\n${close}`,
);
writeFileSync(path, next);
