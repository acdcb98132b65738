/** Instances of a group, by the public API. Its paths name instances, never machines. */
import { Hono } from "hono";
import { z } from "zod";
import type { Cloud } from "../cloud.ts";
import type { Instance } from "../instances.ts";
import { move, moves } from "../moves.ts";
import type { SaladEnv } from "../node-env.ts";
import { problem } from "../problem.ts";
import { bodyOf } from "../request-body.ts";
import { groupOf } from "./access.ts";
import { isMergePatch, noGroup } from "./containers.ts";

/** IMDS takes any int32; the public API knows less. */
const maxDeletionCost = 100_000;

const InstancePatch = z.strictObject({
  deletion_cost: z.int().min(0).max(maxDeletionCost).nullable().optional(),
});

export function groupInstances(cloud: Cloud): Hono<SaladEnv> {
  const app = new Hono<SaladEnv>();
  const noInstance = () => problem(404, "The instance could not be found.");
  const find = (c: Parameters<typeof groupOf>[1]) => {
    const group = groupOf(cloud, c);
    return group && cloud.instances.of(group).find(({ id }) => id === c.req.param("instance"));
  };

  app.get("/", (c) => {
    const group = groupOf(cloud, c);
    if (!group) return noGroup();
    return c.json({ instances: cloud.instances.of(group).map((instance) => onWire(cloud, instance)) });
  });

  app.get("/:instance", (c) => {
    const instance = find(c);
    // The specification says 202.
    return instance ? c.json(onWire(cloud, instance), 202) : noInstance();
  });

  app.patch("/:instance", async (c) => {
    const instance = find(c);
    if (!instance) return noInstance();
    if (!isMergePatch(c)) return problem(415, "the body must be application/merge-patch+json");
    const body = await bodyOf(c, InstancePatch);
    if (!body.ok) return problem(400, body.problem);
    if (body.value.deletion_cost !== undefined) instance.deletionCost = body.value.deletion_cost ?? 0;
    return c.json(onWire(cloud, instance));
  });

  for (const how of moves) {
    app.post(`/:instance/${how}`, (c) => {
      const instance = find(c);
      if (!instance) return noInstance();
      return move(cloud, how, instance) ? c.body(null, 202) : problem(429);
    });
  }
  return app;
}

function onWire(cloud: Cloud, instance: Instance) {
  const state = cloud.instances.stateOf(instance);
  return {
    id: instance.id,
    machine_id: instance.machineId,
    state,
    update_time: new Date(cloud.instances.updatedMs(instance)).toISOString(),
    version: instance.version,
    started: state === "running",
    ready: state === "running",
    deletion_cost: Math.min(maxDeletionCost, Math.max(0, instance.deletionCost)),
  };
}
