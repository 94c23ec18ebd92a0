/** Two projects: the Durable Objects run in workerd on real SQLite, everything else on Node. */
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const OBJECTS = ["test/memory/**/*.test.ts", "test/ledger/**/*.test.ts"];

export default defineConfig({
  test: {
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
        test: { name: "workerd", include: OBJECTS, testTimeout: 60_000 },
      },
    ],
  },
});
