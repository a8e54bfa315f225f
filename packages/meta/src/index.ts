export * from "./cluster-state.ts";
export * from "./cluster-json.ts";
export * from "./founding-plan.ts";
export * from "./json-shape.ts";
export * from "./meta-command.ts";
export * from "./node-name.ts";
export * from "./placement.ts";
export * from "./settings.ts";
