import { defineConfig } from "vitest/config";

// What needs a real redis-server 7.0.15 (Debian's). It is started on a free loopback port.
export default defineConfig({
  test: {
    include: ["test/compat/**/*.test.ts"],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default"],
  },
});
