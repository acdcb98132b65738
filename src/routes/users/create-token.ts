import { createRoute } from "@hono/zod-openapi";
import { limits, NewToken, Token } from "../../contract/index.ts";
import { readJson } from "../../middleware/read-json.ts";
import { answer, jsonBody, operation, refusals } from "../operation.ts";
import { makeToken } from "./make-token.ts";
import { UserParams } from "./user-tokens.ts";

const route = createRoute({
  method: "post",
  path: "/users/{id}/token",
  tags: ["Users"],
  access: "admin" as const,
  summary: "Make a token for a user (admin); it is told once and stored nowhere",
  middleware: [readJson(limits.bodyBytes)],
  request: { params: UserParams, ...jsonBody(NewToken) },
  responses: { 201: answer(Token, "The token"), ...refusals(400, 403, 404, 413) },
});

export const createToken = operation(route, async (c) => {
  const { org_name, project_name, ...wanted } = c.req.valid("json");
  const owner = { userId: c.req.valid("param").id, orgName: org_name, projectName: project_name };
  return c.json(await makeToken(c, owner, wanted), 201);
});
