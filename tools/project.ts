import { join, resolve } from "node:path";

/** The repository's top folder: every path of the tools starts here, wherever they are called from. */
export const projectRoot = resolve(import.meta.dirname, "..");

/** Entry of a command-line tool of `node_modules`, to be run by this very Node. */
export const wranglerEntry = join(projectRoot, "node_modules/wrangler/bin/wrangler.js");
export const drizzleKitEntry = join(projectRoot, "node_modules/drizzle-kit/bin.cjs");
/** These two are executables of their own. */
export const biomeEntry = join(projectRoot, "node_modules/.bin/biome");
export const tscEntry = join(projectRoot, "node_modules/.bin/tsc");
export const postjectEntry = join(projectRoot, "node_modules/postject/dist/cli.js");
export const vitestEntry = join(projectRoot, "node_modules/vitest/vitest.mjs");

/** Wrangler without an account, a network or a question: nothing is looked up, sent or asked. */
export const quietWranglerEnv = {
  CI: "1",
  // Traces of every local call: they cost two to three times the request itself.
  X_LOCAL_OBSERVABILITY: "false",
  X_LOCAL_EXPLORER: "false",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_WRITE_LOGS: "false",
  // The banner asks the package registry for a newer version.
  WRANGLER_HIDE_BANNER: "true",
};
