import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { Id } from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { groupOf, ownKey } from "../../middleware/group.ts";
import { answer, operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "delete",
  path: "/jobs/container-groups/{container_group_id}",
  tags: ["Jobs"],
  access: "people" as const,
  summary: "Empty a queue: remove its pending jobs, cancel its running ones",
  request: { params: z.object({ container_group_id: Id.describe("The queue") }) },
  responses: {
    200: answer(z.object({ count: z.int().describe("Jobs removed or canceled") }), "Done"),
    ...refusals(503),
  },
});

export const purgeGroup = operation(route, async (c) => {
  const key = ownKey(c, c.req.valid("param").container_group_id);
  const outcome = await groupOf(c, key).purge(key);
  if (!outcome.ok) throw new ApiError("unavailable", {});
  return c.json({ count: outcome.count }, 200);
});
