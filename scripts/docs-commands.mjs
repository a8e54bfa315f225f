// `npm run docs:commands`: writes docs/commands.md.
import { writeFileSync } from "node:fs";
import { commandPage } from "../packages/commands/testing/command-page.ts";

writeFileSync(new URL("../docs/commands.md", import.meta.url), commandPage());
