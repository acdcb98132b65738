import { createRoute } from "@hono/zod-openapi";
import { User } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { readUser, type UserRecord } from "../../db/users/users.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { answer, operation, refusals } from "../operation.ts";
import { iso } from "../times.ts";

const route = createRoute({
  method: "get",
  path: "/users/me",
  tags: ["Users"],
  access: "people" as const,
  summary: "The user of the credential",
  responses: { 200: answer(User, "The user"), ...refusals(404) },
});

export const getMe = operation(route, async (c) => {
  const user = await prepare(c.env.DB, readUser(c.var.principal.userId)).first<UserRecord>();
  if (!user) throw new ApiError("not_found", { what: "user" });
  return c.json({ id: user.id, username: user.username, created: iso(user.created) }, 200);
});
