import { defineConfig } from "vitest/config";

// Everything that needs nothing but npm. What needs a real redis-server is in vitest.compat.config.ts.
export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts", "bench/test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "test/compat/**"],
    // Two cores, real clusters in some files: fewer workers are faster than more.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default"],
  },
});
