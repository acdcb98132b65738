import { createRoute } from "@hono/zod-openapi";
import { prepare } from "../../db/prepare.ts";
import { clearRules } from "../../db/scaling/rules.ts";
import { operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "delete",
  path: "/scaling-rules",
  tags: ["Scaling rules"],
  access: "admin" as const,
  summary: "Remove all scaling rules of all users (admin)",
  responses: { 204: { description: "Removed" }, ...refusals(403) },
});

export const clearAllScalingRules = operation(route, async (c) => {
  await prepare(c.env.DB, clearRules()).run();
  return c.body(null, 204);
});
