/** Any user's tokens, for the admin. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { TokenList } from "../../contract/index.ts";
import { answer, operation, refusals } from "../operation.ts";
import { revoke, TokenId, tokensOf } from "./list-and-revoke.ts";

export const UserParams = z.object({ id: z.string().describe("Id of the user") });

const common = { tags: ["Users"], access: "admin" as const };

const list = createRoute({
  ...common,
  method: "get",
  path: "/users/{id}/tokens",
  summary: "List a user's tokens, oldest first, never the tokens themselves (admin)",
  request: { params: UserParams },
  responses: { 200: answer(TokenList, "Those that have not expired"), ...refusals(403) },
});
export const listUserTokens = operation(list, async (c) =>
  c.json(await tokensOf(c, c.req.valid("param").id), 200),
);

const remove = createRoute({
  ...common,
  method: "delete",
  path: "/users/{id}/tokens/{token_id}",
  summary: "Revoke a user's token (admin); works for up to a minute more where it was just used",
  request: { params: UserParams.extend({ token_id: TokenId }) },
  responses: { 204: { description: "Revoked" }, ...refusals(403, 404) },
});
export const revokeUserToken = operation(remove, async (c) => {
  const { id, token_id } = c.req.valid("param");
  await revoke(c, id, token_id);
  return c.body(null, 204);
});
