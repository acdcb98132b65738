/** `GET /ready`: whether this deployment can do its work. Looked up anew every few seconds at most, however often it is asked. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { ErrorBody } from "../contract/index.ts";
import { newestMigration, readMigrationApplied } from "../db/migrations-applied.ts";
import { prepare } from "../db/prepare.ts";
import type { Bindings } from "../env.ts";
import { within } from "../http/shared-calls.ts";
import { describeError, log } from "../middleware/log.ts";
import { answer, createRouter, operation } from "./operation.ts";

/** Short enough to see a recovery, long enough that nobody wears D1 out by asking. */
const rememberMs = 5000;
/** A database that takes longer is of no use to a request. */
const patienceMs = 5000;

export type Readiness = "ready" | "database" | "migrations";

const problems = {
  database: "the database cannot be reached",
  migrations: "the database lacks migrations of this version: apply them",
};

const route = createRoute({
  method: "get",
  path: "/ready",
  tags: ["Health"],
  access: "anyone" as const,
  summary: "Whether the database is reachable and up to date; needs no credential",
  responses: {
    200: answer(z.object({ status: z.literal("ready").describe("That it is") }), "It is"),
    503: answer(ErrorBody, "It is not; `message` tells why"),
  },
});

interface Looked {
  untilMs: number;
  outcome: Promise<Readiness>;
}

/** `look`: asks the database. One look at a time and isolate. */
export function readiness(look: (env: Bindings) => Promise<Readiness> = lookAtDatabase) {
  let last: Looked | undefined;
  const getReady = operation(route, async (c) => {
    const nowMs = Date.now();
    if (!last || nowMs >= last.untilMs) {
      last = { untilMs: nowMs + rememberMs, outcome: look(c.env) };
      // Others wait for it too: it must not end with a request that is given up.
      c.executionCtx.waitUntil(last.outcome);
    }
    const outcome = await last.outcome;
    if (outcome === "ready") return c.json({ status: "ready" as const }, 200);
    const retryAfter = { "Retry-After": String(rememberMs / 1000) };
    return c.json({ error: "unavailable" as const, message: problems[outcome] }, 503, retryAfter);
  });
  return createRouter().openapiRoutes([getReady]);
}

async function lookAtDatabase(env: Bindings): Promise<Readiness> {
  try {
    const found = await within(prepare(env.DB, readMigrationApplied(newestMigration)).first(), patienceMs);
    if (found === undefined) throw new Error(`no answer within ${patienceMs} ms`);
    return found === null ? "migrations" : "ready";
  } catch (error) {
    if (error instanceof Error && /no such table/.test(error.message)) return "migrations";
    log("warning", "database_unreachable", { error: describeError(error) });
    return "database";
  }
}
