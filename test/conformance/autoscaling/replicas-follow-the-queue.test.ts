import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { needSalad, promise } from "../support/promise.ts";
import { until } from "../support/queue.ts";
import { openRules } from "../support/rules.ts";
import { groupState, removeGroup } from "../support/salad.ts";
import type { Job } from "../support/wire.ts";

/** Kelpie looks every 5 minutes; a pass of a busy API may come late. */
const patienceMs = 330_000;

promise("5", "Per rule, the replicas of a group follow its jobs, every 5 minutes", () => {
  it("rise with the queue, within the maximum, and the group is stopped with its end", async (context) => {
    const salad = needSalad(context);
    const { headers, group, create, remove } = await openRules(salad);
    // An API that has cooldowns shall not wait for them here; Kelpie ignores what it does not know.
    const cooldowns = { scale_up_cooldown_seconds: 0, scale_down_cooldown_seconds: 0 };
    const rule = await create({ max_replicas: 3, idle_threshold_seconds: 0, ...cooldowns });
    expect(rule.status, rule.text).toBe(201);
    const jobs = await call<Job[]>("POST", "/jobs/batch", {
      headers,
      body: Array.from({ length: 4 }, () => ({ command: "true", container_group_id: group.id, sync: {} })),
    });
    expect(jobs.status, jobs.text).toBe(202);
    const hasReplicas = async () => (await groupState(salad, group)).replicas === 3;
    await until("three replicas", hasReplicas, patienceMs);

    const purged = await call("DELETE", `/jobs/container-groups/${group.id}`, { headers });
    expect(purged.status, purged.text).toBe(200);
    const isStopped = async () => (await groupState(salad, group)).status === "stopped";
    await until("the group's stop", isStopped, patienceMs);

    const again = await call("POST", "/jobs", {
      headers,
      body: { command: "true", container_group_id: group.id, sync: {} },
    });
    expect(again.status, again.text).toBe(202);
    const runsOne = async () => {
      const { replicas, status } = await groupState(salad, group);
      return replicas === 1 && status !== "stopped";
    };
    await until("its start with one replica", runsOne, patienceMs);
    await call("DELETE", `/jobs/container-groups/${group.id}`, { headers });
    await remove();
  }, 1_100_000);

  it("goes with its group", async (context) => {
    const salad = needSalad(context);
    const { group, create, get } = await openRules(salad);
    expect((await create()).status).toBe(201);
    await removeGroup(salad, group);
    await until("the rule's end", async () => (await get()).status === 404, patienceMs);
  }, 400_000);
});
