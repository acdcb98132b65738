/** Container groups of the public API. */
import { type Context, Hono } from "hono";
import type { Cloud } from "../cloud.ts";
import { hasRoom, overQuota, patchGroup, startGroup, stopGroup } from "../group-calls.ts";
import { type Group, GroupPatch, NewGroup } from "../groups.ts";
import type { SaladEnv } from "../node-env.ts";
import { problem } from "../problem.ts";
import { bodyOf } from "../request-body.ts";
import { groupOf, projectOf } from "./access.ts";
import { groupOnWire } from "./group-on-wire.ts";

/** What `GET …/containers` lists at most. */
const maxGroups = 100;

export function containers(cloud: Cloud): Hono<SaladEnv> {
  const app = new Hono<SaladEnv>();
  const wire = (group: Group) => groupOnWire(cloud, group);
  app.get("/", (c) => {
    const place = projectOf(cloud, c);
    if (!place) return problem(404, "The project could not be found.");
    const groups = cloud.groups.ofProject(place.organization.name, place.project);
    return c.json({ items: groups.slice(0, maxGroups).map(wire) });
  });

  app.post("/", async (c) => {
    const place = projectOf(cloud, c);
    if (!place) return problem(404, "The project could not be found.");
    const body = await bodyOf(c, NewGroup);
    if (!body.ok) return problem(400, body.problem);
    const { name: organization } = place.organization;
    if (cloud.groups.find(organization, place.project, body.value.name)) {
      return problem(400, "the name is taken");
    }
    if (!hasRoom(cloud, organization, body.value.replicas)) return problem(400, overQuota);
    const group = cloud.groups.create(organization, place.project, body.value, cloud.nowMs());
    const path = `/organizations/${organization}/projects/${place.project}/containers/${group.name}`;
    return c.json(wire(group), 201, { Location: path });
  });

  app.get("/:group", (c) => {
    const group = groupOf(cloud, c);
    return group ? c.json(wire(group)) : noGroup();
  });

  app.patch("/:group", async (c) => {
    const group = groupOf(cloud, c);
    if (!group) return noGroup();
    if (!isMergePatch(c)) return problem(415, "the body must be application/merge-patch+json");
    const body = await bodyOf(c, GroupPatch);
    if (!body.ok) return problem(400, body.problem);
    const answer = patchGroup(cloud, group, body.value);
    if (answer) return problem(400, answer.refused);
    return c.json(wire(group), 200, { "Content-Type": "application/merge-patch+json" });
  });

  app.delete("/:group", (c) => {
    const group = groupOf(cloud, c);
    if (!group) return noGroup();
    cloud.groups.remove(group);
    return c.body(null, 202);
  });

  app.post("/:group/start", (c) => {
    const group = groupOf(cloud, c);
    if (!group) return noGroup();
    const answer = startGroup(cloud, group);
    return answer ? problem(400, answer.refused) : c.body(null, 202);
  });

  app.post("/:group/stop", (c) => {
    const group = groupOf(cloud, c);
    if (!group) return noGroup();
    const answer = stopGroup(cloud, group);
    return answer ? problem(400, answer.refused) : c.body(null, 202);
  });

  return app;
}

export const noGroup = () => problem(404, "The container group could not be found.");

export function isMergePatch(c: Context<SaladEnv>): boolean {
  return /^application\/merge-patch\+json\b/i.test(c.req.header("content-type") ?? "");
}
