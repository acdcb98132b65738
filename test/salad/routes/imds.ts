/**
 * The metadata service as each instance sees it. On a node it has one address; here the instance's id stands in the path:
 * `KELPIE_IMDS_URL` is `URL/imds/INSTANCE_ID`.
 */
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Cloud } from "../cloud.ts";
import type { Instance } from "../instances.ts";
import { move } from "../moves.ts";
import type { SaladEnv } from "../node-env.ts";
import { imdsProblem } from "../problem.ts";
import { bodyOf } from "../request-body.ts";
import { tokenLifeSeconds } from "../tokens.ts";

/** A token is handed out again while so much of its life is left. */
const minLeftSeconds = 180;

const Reallocation = z.object({ reason: z.string().min(1).max(1000) });
const DeletionCost = z.object({ deletion_cost: z.int().min(-2_147_483_648).max(2_147_483_647) });

export function imds(cloud: Cloud): Hono<SaladEnv> {
  const app = new Hono<SaladEnv>();
  const cached = new Map<string, { jwt: string; expiresMs: number }>();

  app.use(async (c, next) => {
    const forwarded = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
    const isDirect = forwarded.every((name) => c.req.header(name) === undefined);
    if (c.req.header("metadata") !== "true" || !isDirect) {
      return imdsProblem(403, "forbidden", "Metadata: true, and no proxy in between");
    }
    if (!instanceOf(c)) return imdsProblem(404, "container-not-found", "The instance could not be found.");
    await next();
  });

  const instanceOf = (c: Context<SaladEnv>) => {
    const instance = cloud.instances.byId(c.req.param("instance") ?? "");
    // Whoever asks runs in a container that is there.
    const isThere = instance && ["running", "stopping"].includes(cloud.instances.stateOf(instance));
    return isThere ? instance : undefined;
  };
  const required = (c: Context<SaladEnv>): Instance => {
    const instance = instanceOf(c);
    if (!instance) throw new Error("the instance is gone");
    return instance;
  };
  const malformed = (detail: string) => imdsProblem(400, "invalid-request", detail);
  const tooMany = () => imdsProblem(429, "too-many-requests", "The organization's quota is exceeded.");

  app.get("/v1/status", (c) => c.json({ ready: true, started: true }));

  app.get("/v1/token", (c) => {
    const instance = required(c);
    const known = cached.get(instance.id);
    if (known && known.expiresMs - cloud.nowMs() > minLeftSeconds * 1000) return c.json({ jwt: known.jwt });
    const jwt = tokenOf(cloud, instance);
    cached.set(instance.id, { jwt, expiresMs: cloud.nowMs() + tokenLifeSeconds * 1000 });
    return c.json({ jwt });
  });

  app.get("/v1/deletion-cost", (c) => c.json({ deletion_cost: required(c).deletionCost }));

  app.put("/v1/deletion-cost", async (c) => {
    const body = await bodyOf(c, DeletionCost);
    if (!body.ok) return malformed(body.problem);
    required(c).deletionCost = body.value.deletion_cost;
    return c.body(null, 204);
  });

  app.post("/v1/reallocate", async (c) => {
    const body = await bodyOf(c, Reallocation);
    if (!body.ok) return malformed(body.problem);
    return move(cloud, "reallocate", required(c)) ? c.body(null, 204) : tooMany();
  });

  for (const how of ["recreate", "restart"] as const) {
    app.post(`/v1/${how}`, (c) => (move(cloud, how, required(c)) ? c.body(null, 204) : tooMany()));
  }
  return app;
}

function tokenOf(cloud: Cloud, { groupId, machineId }: Instance): string {
  const group = cloud.groups.byId(groupId);
  const organization = group && cloud.accounts.organization(group.organization);
  if (!organization) throw new Error(`group ${groupId} is of no organization`);
  const wish = { organization: organization.name, containerGroupId: groupId, machineId };
  return cloud.tokens.mint(wish, organization.id, cloud.nowMs());
}
