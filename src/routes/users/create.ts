import { createRoute } from "@hono/zod-openapi";
import { limits, NewUser, User } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { insertUser } from "../../db/users/users.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { readJson } from "../../middleware/read-json.ts";
import { answer, jsonBody, operation, refusals } from "../operation.ts";
import { iso } from "../times.ts";

const route = createRoute({
  method: "post",
  path: "/users",
  tags: ["Users"],
  access: "admin" as const,
  summary: "Create a user (admin)",
  middleware: [readJson(limits.bodyBytes)],
  request: jsonBody(NewUser),
  responses: { 201: answer(User, "The new user"), ...refusals(400, 403, 413) },
});

export const createUser = operation(route, async (c) => {
  const { username } = c.req.valid("json");
  const user = { id: crypto.randomUUID(), username, createdMs: Date.now() };
  const { meta } = await prepare(c.env.DB, insertUser(user)).run();
  if (meta.changes === 0) {
    throw new ApiError("invalid_request", { problem: "is taken", field: "username" });
  }
  return c.json({ id: user.id, username, created: iso(user.createdMs) }, 201);
});
