import { createRoute } from "@hono/zod-openapi";
import { RuleOwnerQuery } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { deleteRule } from "../../db/scaling/rules.ts";
import { operation, refusals } from "../operation.ts";
import { noSuchRule, ownerOf, RuleParams } from "./owner.ts";

const route = createRoute({
  method: "delete",
  path: "/scaling-rules/{id}",
  tags: ["Scaling rules"],
  access: "people" as const,
  summary: "Scale a container group no longer; it stays as it is",
  request: { params: RuleParams, query: RuleOwnerQuery },
  responses: { 204: { description: "Removed" }, ...refusals(400, 403, 404) },
});

export const deleteScalingRule = operation(route, async (c) => {
  const { id } = c.req.valid("param");
  const userId = await ownerOf(c, id, c.req.valid("query"));
  const { meta } = await prepare(c.env.DB, deleteRule(userId, id)).run();
  if (meta.changes === 0) throw noSuchRule();
  return c.body(null, 204);
});
