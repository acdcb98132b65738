/** The one credential of the public API, and the number of requests that it may make. */
import type { Context, MiddlewareHandler } from "hono";
import type { Cloud } from "../cloud.ts";
import type { Group } from "../groups.ts";
import type { SaladEnv } from "../node-env.ts";
import { problem } from "../problem.ts";

/** 401 for a key that nobody has, 429 for one that asks too often, 403 for one that does not reach so far. */
export function checkKey(cloud: Cloud): MiddlewareHandler<SaladEnv> {
  return async (c, next) => {
    const key = c.req.header("salad-api-key") ?? "";
    if (!cloud.accounts.knows(key)) return problem(401);
    if (!cloud.requests.admit(key, cloud.requestsPerMinute, cloud.nowMs())) return problem(429);
    const organization = c.req.param("organization") ?? "";
    if (!cloud.accounts.reaches(key, organization, c.req.param("project"))) return problem(403);
    await next();
  };
}

/** The path's project as `organization` and `project`, or a 404. */
export function projectOf(cloud: Cloud, c: Context<SaladEnv>) {
  const organization = cloud.accounts.organization(c.req.param("organization") ?? "");
  const project = c.req.param("project") ?? "";
  if (!organization?.projects.has(project)) return null;
  return { organization, project };
}

export function groupOf(cloud: Cloud, c: Context<SaladEnv>): Group | null {
  const place = projectOf(cloud, c);
  const name = c.req.param("group") ?? "";
  return (place && cloud.groups.find(place.organization.name, place.project, name)) ?? null;
}
