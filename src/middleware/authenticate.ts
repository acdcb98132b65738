/**
 * Who is asking (docs/authentication.md). `X-Kelpie-Key` wins over everything else a request carries, then comes the Salad API key, then
 * the token of a node. One file per credential knows how it is verified.
 */
import type { Context, MiddlewareHandler } from "hono";
import { ApiError } from "./api-error.ts";
import type { AppEnv } from "./app-env.ts";
import { forgetAllTokens, verdictOfKelpieKey } from "./authenticate/kelpie-key.ts";
import { forgetProjects, verdictOfNodeToken } from "./authenticate/node-token.ts";
import { forgetOrganizationUsers } from "./authenticate/organization-user.ts";
import { verdictOfSaladKey } from "./authenticate/salad-key.ts";
import type { Verdict } from "./authenticate/verdict.ts";
import { countFailure } from "./rate-limit.ts";

export { forgetToken } from "./authenticate/kelpie-key.ts";

/** Sets `principal`, or refuses: 400 for half a credential, 401 for none, 403 for a wrong one, 503 where nobody can tell. */
export const authenticate: MiddlewareHandler<AppEnv> = async (c, next) => {
  const verdict = await verdictOf(c);
  if ("wrong" in verdict) {
    await countFailure(c);
    throw new ApiError("forbidden", { problem: verdict.wrong });
  }
  c.set("principal", verdict.principal);
  c.set("credential", verdict.credential);
  await next();
};

/** Makes this isolate forget whom it knows, when users were removed; others follow within a minute. */
export function forgetUsers(): void {
  forgetAllTokens();
  forgetOrganizationUsers();
  forgetProjects();
}

async function verdictOf(c: Context<AppEnv>): Promise<Verdict> {
  const kelpieKey = c.req.header("x-kelpie-key");
  if (kelpieKey) return await verdictOfKelpieKey(c, kelpieKey);

  const project = c.req.header("salad-project");
  const saladKey = c.req.header("salad-api-key");
  if (saladKey) {
    const organization = c.req.header("salad-organization");
    if (organization && project) return await verdictOfSaladKey(c, { key: saladKey, organization, project });
    throw new ApiError("invalid_request", {
      problem: "Salad-Api-Key needs the headers Salad-Organization and Salad-Project beside it",
    });
  }

  const token = /^bearer +(\S+)\s*$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (token !== undefined) {
    if (project) return await verdictOfNodeToken(c, token, project);
    throw new ApiError("invalid_request", {
      problem: "a Bearer token needs the header Salad-Project beside it",
    });
  }
  throw new ApiError("unauthorized", {
    problem: "give a credential: X-Kelpie-Key; Salad-Api-Key; or Authorization: Bearer, each as documented",
  });
}
