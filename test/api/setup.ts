/** Before each file of tests: the schema in its own fresh D1. Storage is isolated per file, not per test. */
import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";

await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);

// The request log tells of every 4xx at this level, and tests provoke hundreds. Warnings and errors stay visible.
vi.spyOn(console, "info").mockImplementation(() => undefined);
