import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { limits, NewToken, Token } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { insertToken } from "../../db/users/tokens.ts";
import { hexOf } from "../../domain/hex.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { readJson } from "../../middleware/read-json.ts";
import { sha256 } from "../../middleware/sha256.ts";
import { answer, jsonBody, operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "post",
  path: "/users/{id}/token",
  tags: ["Users"],
  access: "admin" as const,
  summary: "Make a token for a user (admin); it is told once and stored nowhere",
  middleware: [readJson(limits.bodyBytes)],
  request: { params: z.object({ id: z.string().describe("Id of the user") }), ...jsonBody(NewToken) },
  responses: { 201: answer(Token, "The token"), ...refusals(400, 403, 404, 413) },
});

export const createToken = operation(route, async (c) => {
  const { org_name, project_name } = c.req.valid("json");
  const token = randomToken();
  const statement = insertToken({
    hash: hexOf(await sha256(token)),
    userId: c.req.valid("param").id,
    orgName: org_name,
    projectName: project_name,
    createdMs: Date.now(),
  });
  const { meta } = await prepare(c.env.DB, statement).run();
  if (meta.changes === 0) throw new ApiError("not_found", { what: "user" });
  return c.json({ token }, 201);
});

/** 256 bits; being beyond guessing, it needs no slow hash. The prefix lets secret scanners and people recognise it. */
function randomToken(): string {
  return `kelpie_${hexOf(crypto.getRandomValues(new Uint8Array(32)))}`;
}
