/** What every route is built from: an operation is a documented route with its handler, a router a list of them. */
import {
  defineOpenAPIRoute,
  OpenAPIHono,
  type OpenAPIHonoOptions,
  type OpenAPIRoute,
  type RouteConfig,
  type RouteHandler,
} from "@hono/zod-openapi";
import type { ZodType } from "zod";
import { z } from "zod";
import { ErrorBody } from "../contract/index.ts";
import { ApiError } from "../middleware/api-error.ts";
import type { AppEnv } from "../middleware/app-env.ts";
import { invalidRequest } from "./invalid-request.ts";

/** What does not match a route's schema never reaches its handler. An id that cannot exist is a 404, like any unknown one. */
const rejectInvalid: OpenAPIHonoOptions<AppEnv>["defaultHook"] = (result) => {
  if (result.success) return;
  if (result.target === "param") throw new ApiError("not_found", { what: "job" });
  throw invalidRequest(result.error);
};

/** A router whose operations reject what their schemas do not allow. */
export function createRouter() {
  return new OpenAPIHono<AppEnv>({ defaultHook: rejectInvalid });
}

/** Ties a handler to its route, both typed by the route's schemas. */
export function operation<R extends RouteConfig>(
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
