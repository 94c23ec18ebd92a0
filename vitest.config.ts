/** Two projects: the Durable Objects run in workerd on real SQLite, everything else on Node. */
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const OBJECTS = [
  "test/memory/**/*.test.ts",
  "test/ledger/**/*.test.ts",
  "test/store/**/*.test.ts",
  "test/router/*-object.test.ts",
];

declare module "vitest" {
  interface ProvidedContext {
    randomOperations: number;
  }
}

export default defineConfig({
  test: {
    // How many operations the property tests of the memory try: 10,000 take a few minutes.
    provide: { randomOperations: Number(process.env.BRINK_RANDOM_OPERATIONS ?? 2_000) },
    // Under CI the count at the end of .ci/run is read from the runner's own report.
    reporters: process.env.CI
      ? ["default", ["json", { outputFile: "build/test-report.json" }]]
      : ["default"],
    projects: [
      {
        test: {
          name: "node",
          environment: "node",
          include: ["test/**/*.test.ts"],
          exclude: OBJECTS,
          testTimeout: 30_000,
        },
      },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./test/memory/wrangler.toml" } })],
        test: {
          name: "workerd",
          include: OBJECTS,
          globalSetup: "./test/support/built.ts",
          testTimeout: 60_000,
        },
      },
    ],
  },
});
