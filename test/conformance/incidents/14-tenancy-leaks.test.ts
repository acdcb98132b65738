import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { needSalad, promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { createApiKey, createGroup, nodeIdentity, nodeOf, saladKey } from "../support/salad.ts";
import { settings } from "../support/settings.ts";
import type { Job } from "../support/wire.ts";

promise("7.14", "Tenants do not leak: neither through a group's id nor through a node's token", () => {
  it("two users with the same group id never see, claim, count or ban each other", async () => {
    const queue = openQueue(settings.alice.key);
    const theirs = openQueue(settings.bob.key, queue.group);
    const mine = await queue.submit();
    const other = await theirs.submit();
    for (const [asker, job] of [
      [queue, mine],
      [theirs, other],
    ] as const) {
      const list = await call<{ jobs: Job[] }>("GET", `/jobs?container_group_id=${queue.group}`, {
        key: asker.key,
      });
      expect(list.body.jobs.map(({ id }) => id)).toEqual([job.id]);
    }
    expect((await theirs.claim("m1"))?.id).toBe(other.id);
    await theirs.failed(other.id, "m1");
    expect((await queue.claim("m1"))?.id).toBe(mine.id);
  });

  it("a node speaks for its own machine, group and project alone", async (context) => {
    const salad = needSalad(context);
    const { organization, project } = salad;
    const group = await createGroup(salad);
    const { machineId, token } = await nodeOf(salad, group);
    // A key that is new to the API makes it list the project's groups, and so learn whose this one is.
    const headers = saladKey(await createApiKey(salad), organization, project);
    await call("GET", "/users/me", { headers });
    const claim = (machine: string, groupId: string, ofProject = project) => {
      const query = new URLSearchParams({ machine_id: machine, container_group_id: groupId });
      return call("GET", `/work?${query}`, { headers: nodeIdentity(token, ofProject) });
    };
    expect((await claim(machineId, group.id)).status).toBe(200);
    expectError(await claim(randomUUID(), group.id), 403);
    expectError(await claim(machineId, randomUUID()), 403);
    expectError(await claim(machineId, group.id, salad.otherProject), 403);
  });

  it("a node may claim and report, and nothing else", async (context) => {
    const salad = needSalad(context);
    const { project } = salad;
    const group = await createGroup(salad);
    const { token } = await nodeOf(salad, group);
    const headers = nodeIdentity(token, project);
    const body = { command: "true", container_group_id: group.id, sync: {} };
    expectError(await call("POST", "/jobs", { headers, body }), 403);
    expectError(await call("POST", "/jobs/batch", { headers, body: [body] }), 403);
    expectError(await call("GET", "/jobs", { headers }), 403);
    expectError(await call("GET", `/jobs/${randomUUID()}`, { headers }), 403);
    expectError(await call("DELETE", `/jobs/${randomUUID()}`, { headers }), 403);
    expectError(await call("DELETE", `/jobs/container-groups/${group.id}`, { headers }), 403);
    expectError(await call("GET", "/scaling-rules", { headers }), 403);
    expectError(await call("GET", "/users/me", { headers }), 403);
  });

  it("workload id and organization's name are no credential", async (context) => {
    const salad = needSalad(context);
    const { organization, project } = salad;
    const group = await createGroup(salad);
    expectError(await call("GET", "/users/me", { headers: saladKey(group.id, organization, project) }), 403);
    expectError(await call("GET", "/users/me", { headers: nodeIdentity(group.id, project) }), 403);
    expectError(await call("GET", "/users/me", { key: group.id }), 403);
  });
});
