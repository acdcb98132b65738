import { createRoute } from "@hono/zod-openapi";
import { clearJobs } from "../../db/jobs/clear.ts";
import { prepare } from "../../db/prepare.ts";
import { operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "delete",
  path: "/jobs",
  tags: ["Jobs"],
  access: "admin" as const,
  summary: "Remove all jobs of all users (admin)",
  responses: { 204: { description: "Removed" }, ...refusals(403) },
});

export const clearAllJobs = operation(route, async (c) => {
  await c.env.DB.batch(clearJobs(Date.now()).map((statement) => prepare(c.env.DB, statement)));
  return c.body(null, 204);
});
