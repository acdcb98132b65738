/** What every route is built from: an operation is a documented route with its handler, a router a list of them. */
import {
  defineOpenAPIRoute,
  OpenAPIHono,
  type OpenAPIRoute,
  type RouteConfig,
  type RouteHandler,
} from "@hono/zod-openapi";
import type { Handler } from "hono";
import type { ZodType } from "zod";
import { z } from "zod";
import { ErrorBody } from "../contract/index.ts";
import { type Access, allow, asItself } from "../middleware/access.ts";
import type { AppEnv } from "../middleware/app-env.ts";
import { limitRate } from "../middleware/rate-limit.ts";
import { checkRequest } from "./check-request.ts";

/** A router whose operations reject what their schemas do not allow. */
export function createRouter() {
  const router = new OpenAPIHono<AppEnv>();
  // The document as zod-openapi makes it, the checks in one step of our own.
  const register = ({ access, unlimited, middleware = [], ...route }: Route, handler: Handler<AppEnv>) => {
    router.openAPIRegistry.registerPath(route);
    const path = route.path.replaceAll(/\/{(.+?)}/g, "/:$1");
    const counted = access === "anyone" || unlimited ? [] : [limitRate(access)];
    const checks = [allow(access), ...counted, ...[middleware].flat(), checkRequest(route.request)];
    if (access === "agents") checks.push(asItself);
    router.on([route.method], [path], ...checks, handler);
    return router;
  };
  router.openapi = register as unknown as typeof router.openapi;
  return router;
}

/** A documented route says who may use it. `unlimited`: the abuse guard lets it pass, since a job would be lost by a 429. */
export type Route = RouteConfig & { access: Access; unlimited?: true };

/** Ties a handler to its route, both typed by the route's schemas. */
export function operation<R extends Route>(
  route: R,
  handler: RouteHandler<R, AppEnv>,
): OpenAPIRoute<R, AppEnv> {
  return defineOpenAPIRoute({ route, handler });
}

/** A JSON body that must be there. The route also needs `readJson`. */
export function jsonBody<S extends ZodType>(schema: S) {
  return { body: { required: true as const, content: { "application/json": { schema } } } };
}

/** A JSON answer. */
export function answer<S extends ZodType>(schema: S, description: string) {
  return { description, content: { "application/json": { schema } } };
}

const refusalDescriptions = {
  400: "The request is malformed; `field` and `index` tell where",
  403: "Not allowed for this credential",
  404: "There is no such thing, or it is another user's",
  409: "Refused by the state of the job; `reason` tells which",
  411: "Content-Length is missing",
  412: "A precondition of the request does not hold",
  413: "Larger than allowed",
  416: "The object ends before the range begins",
  426: "Only as a WebSocket",
  503: "Not possible just now; ask again after Retry-After",
} as const;

/** The errors that a route answers by its own doing. */
export function refusals<Status extends keyof typeof refusalDescriptions>(...statuses: Status[]) {
  const entries = statuses.map((status) => [status, answer(ErrorBody, refusalDescriptions[status])]);
  return Object.fromEntries(entries) as Record<Status, ReturnType<typeof answer<typeof ErrorBody>>>;
}

/** `:id` of a job. */
export const JobParams = z.object({ id: z.uuid().describe("Id of the job") });
