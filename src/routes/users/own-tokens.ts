/** One's own tokens: made, listed and revoked by whoever has a credential of the organization that is not a node's. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { limits, NewOwnToken, Token, TokenList } from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { readJson } from "../../middleware/read-json.ts";
import { answer, jsonBody, operation, refusals } from "../operation.ts";
import { revoke, TokenId, tokensOf } from "./list-and-revoke.ts";
import { makeToken } from "./make-token.ts";

const common = { tags: ["Users"], access: "people" as const };

const create = createRoute({
  ...common,
  method: "post",
  path: "/users/me/tokens",
  summary: "Make a token for one's own organization and project; it is told once and stored nowhere",
  description: "One that is made with a token that ends ends no later.",
  middleware: [readJson(limits.bodyBytes)],
  request: jsonBody(NewOwnToken),
  responses: { 201: answer(Token, "The token"), ...refusals(400, 403, 404, 413) },
});
export const createOwnToken = operation(create, async (c) => {
  const { userId, orgName, projectName, expiresMs } = c.var.principal;
  if (orgName === undefined || projectName === undefined) {
    throw new ApiError("forbidden", {
      problem: "the admin has no organization and project: make a token by POST /users/:id/token",
    });
  }
  const owner = { userId, orgName, projectName, expiresMs };
  return c.json(await makeToken(c, owner, c.req.valid("json")), 201);
});

const list = createRoute({
  ...common,
  method: "get",
  path: "/users/me/tokens",
  summary: "List one's own tokens, oldest first, never the tokens themselves",
  responses: { 200: answer(TokenList, "Those that have not expired"), ...refusals(403) },
});
export const listOwnTokens = operation(list, async (c) =>
  c.json(await tokensOf(c, c.var.principal.userId), 200),
);

const remove = createRoute({
  ...common,
  method: "delete",
  path: "/users/me/tokens/{token_id}",
  summary: "Revoke one of one's own tokens; works for up to a minute more where it was just used",
  request: { params: z.object({ token_id: TokenId }) },
  responses: { 204: { description: "Revoked" }, ...refusals(403, 404) },
});
export const revokeOwnToken = operation(remove, async (c) => {
  await revoke(c, c.var.principal.userId, c.req.valid("param").token_id);
  return c.body(null, 204);
});
