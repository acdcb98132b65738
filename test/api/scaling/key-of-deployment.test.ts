/** The deployment's key is everybody's: whoever makes rules without end leaves the autoscaler its requests. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import type { Token, User } from "../../../src/contract/index.ts";
import { deskOf } from "../../../src/scaling/salad-desk.ts";
import { adminKey, send } from "../http/client.ts";
import {
  newOrganization,
  newOrganizationName,
  reachByDeployment,
  requestsAbout,
  salad,
} from "../salad/world.ts";

test("rules for groups that there are not, asked for without end: a few requests are made, then 503; a key of one's own still does", async () => {
  const { name: organization, key: saladKey } = await newOrganization();
  await reachByDeployment(organization);
  const { id: groupId } = await salad.addGroup({ organization, name: "trainers" });
  const body = { username: newOrganizationName() };
  const user = await send<User>("POST", "/users", { key: adminKey, body });
  const names = { org_name: organization, project_name: "default" };
  const token = await send<Token>("POST", `/users/${user.body.id}/token`, { key: adminKey, body: names });
  const make = (container_group_id: string, headers: Record<string, string> = {}) =>
    send("POST", "/scaling-rules", {
      ...{ key: token.body.token, headers },
      body: { container_group_id, min_replicas: 0, max_replicas: 1, idle_threshold_seconds: 0 },
    });

  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => make(`no-such-group-${n}`)));
  const statuses = answers.map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([400, 503]));
  for (const { status, headers } of answers)
    if (status === 503) expect(headers.get("retry-after")).toBeTruthy();
  // The minute's looks have theirs.
  for (let n = 0; n < 15; n++) expect(await deskOf(env.SALAD_DESK).take("look")).toEqual({ ok: true });
  expect((await requestsAbout(organization)).length).toBe(statuses.filter((status) => status === 400).length);
  expect((await make(groupId, { "Salad-Api-Key": saladKey })).status).toBe(201);
});
