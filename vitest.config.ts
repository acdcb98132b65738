import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { SimulatedSalad } from "./test/salad/simulated-salad.ts";

/** One for all tests of the API, each with organizations of its own. It listens from here on, since bindings name its address. */
const salad = (await SimulatedSalad.start()).unref();
salad.controls.addKey({ key: "deployment-key-of-the-tests", reach: [] });

/** The conformance suite: one API for both projects (tools/conformance/setup.ts). */
const conformance = {
  environment: "node" as const,
  globalSetup: ["./tools/conformance/setup.ts"],
  // Nothing of a file outlives it but the API. Most of the time is waited for leases to end: more workers than cores.
  isolate: false,
  pool: "threads" as const,
  maxWorkers: 4,
  testTimeout: 120_000,
  hookTimeout: 120_000,
};

/** Three runtimes, one `npm test`: the API on workerd; the agent on Node; tools and end-to-end on Node. */
export default defineConfig(async () => ({
  test: {
    projects: [
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                TEST_MIGRATIONS: await readD1Migrations("./migrations"),
                KELPIE_ADMIN_KEY: "admin-key-of-the-tests",
                KELPIE_SIGNING_KEY: "signing-key-of-the-tests",
                SALAD_API_URL: salad.apiUrl,
                SALAD_JWKS_URL: salad.jwksUrl,
                SALAD_API_KEY: "deployment-key-of-the-tests",
                SIMULATED_SALAD_URL: salad.url,
              },
            },
          }),
        ],
        test: { name: "api", include: ["test/api/**/*.test.ts"], setupFiles: ["./test/api/setup.ts"] },
      },
      {
        test: {
          name: "agent",
          environment: "node",
          include: ["worker-agent/test/**/*.test.ts"],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "node",
          environment: "node",
          include: [
            "test/tools/**/*.test.ts",
            "test/engine/**/*.test.ts",
            "test/scaling/**/*.test.ts",
            "test/webhooks/**/*.test.ts",
            "test/simulation/**/*.test.ts",
            "test/salad/**/*.test.ts",
            "test/e2e/**/*.test.ts",
            "test/kelpie-worker/**/*.test.ts",
          ],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          ...conformance,
          name: "conformance",
          include: ["test/conformance/**/*.test.ts"],
          exclude: ["test/conformance/alone/**"],
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Clears everything: after all others, since the API is the same.
        test: {
          ...conformance,
          name: "conformance-alone",
          include: ["test/conformance/alone/**/*.test.ts"],
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
}));
