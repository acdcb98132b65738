import { createRoute } from "@hono/zod-openapi";
import { prepare } from "../../db/prepare.ts";
import { clearUsers } from "../../db/users/users.ts";
import { forgetUsers } from "../../middleware/authenticate.ts";
import { operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "delete",
  path: "/users",
  tags: ["Users"],
  access: "admin" as const,
  summary: "Remove all users and tokens but the admin and its key (admin)",
  responses: { 204: { description: "Removed" }, ...refusals(403) },
});

export const clearAllUsers = operation(route, async (c) => {
  await c.env.DB.batch(clearUsers(Date.now()).map((statement) => prepare(c.env.DB, statement)));
  forgetUsers();
  return c.body(null, 204);
});
