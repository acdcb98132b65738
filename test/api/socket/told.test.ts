/** What a holder is told when its lease ends without it, and what a drained machine is told. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import type { ClaimedJob, ReportAnswer } from "../../../src/contract/index.ts";
import type { AgentsApi, GroupApi } from "../../../src/group/protocol.ts";
import { getJob, newGroup, send, signUp, submit } from "../http/client.ts";
import { connect, lineUp, open, stubOf } from "./agents.ts";

let user: { id: string; key: string };
beforeAll(async () => {
  user = await signUp("told");
});

/** A job of the group that the machine holds. */
async function held(group: string, machine: string): Promise<ClaimedJob> {
  await submit(user.key, { container_group_id: group });
  const query = `machine_id=${machine}&container_group_id=${group}&claim_id=${crypto.randomUUID()}`;
  const { body } = await send<ClaimedJob[]>("GET", `/work?${query}`, { key: user.key });
  if (!body[0]) throw new Error("no job");
  return body[0];
}

test("a cancel tells the holder's machine, and nobody else's, once D1 has it", async () => {
  const group = newGroup();
  const holder = await connect(user.key, group, "m1");
  const neighbour = await connect(user.key, group, "m1");
  const other = await connect(user.key, group, "m2");
  const job = await held(group, "m1");
  const canceling = send("DELETE", `/jobs/${job.id}`, { key: user.key });
  const told = await holder.next();
  expect((await getJob(user.key, job.id)).status).toBe("canceled");
  expect(told).toEqual({ type: "ended", job_id: job.id, attempt: 1, reason: "canceled" });
  expect((await canceling).status).toBe(202);
  expect(await neighbour.next()).toEqual(told);
  await other.upToDate();
  expect(other.messages).toEqual([{ type: "resume" }]);
});

test("a cancel that D1 does not take tells nobody, until the alarm has had D1's word", async () => {
  const group = newGroup();
  const holder = await connect(user.key, group, "m1");
  const job = await held(group, "m1");
  // A trigger that fails stands for a D1 that cannot write.
  await env.DB.exec(
    `CREATE TRIGGER broken BEFORE UPDATE ON jobs WHEN NEW.status = 'canceled' BEGIN SELECT RAISE(ABORT, 'D1 is away'); END`,
  );
  expect((await send("DELETE", `/jobs/${job.id}`, { key: user.key })).status).toBe(503);
  await holder.upToDate();
  expect(holder.messages).toEqual([{ type: "resume" }]);
  await env.DB.exec("DROP TRIGGER broken");
  await runDurableObjectAlarm(stubOf(user.id, group));
  expect(await holder.next()).toMatchObject({ type: "ended", job_id: job.id, reason: "canceled" });
});

test("a purge tells every holder", async () => {
  const group = newGroup();
  const agents = [await connect(user.key, group, "m1"), await connect(user.key, group, "m2")];
  const jobs = [await held(group, "m1"), await held(group, "m2")];
  await send("DELETE", `/jobs/container-groups/${group}`, { key: user.key });
  for (const [index, agent] of agents.entries()) {
    expect(await agent.next()).toMatchObject({ type: "ended", job_id: jobs[index]?.id, reason: "canceled" });
  }
});

test("an expiry tells the machine that has gone quiet, and wakes another", async () => {
  const group = newGroup();
  const quiet = await connect(user.key, group, "m1");
  const idle = await connect(user.key, group, "m2");
  await lineUp(user.id, group, { m2: idle });
  const job = await held(group, "m1");
  expect(await idle.next()).toEqual({ type: "wake" });
  await lineUp(user.id, group, { m2: idle });
  await runInDurableObject(stubOf(user.id, group), (_object, state) => {
    state.storage.sql.exec("UPDATE leases SET expires_ms = ?", Date.now() - 1);
  });
  await runDurableObjectAlarm(stubOf(user.id, group));
  expect(await quiet.next()).toEqual({ type: "ended", job_id: job.id, attempt: 1, reason: "superseded" });
  expect(await idle.next()).toEqual({ type: "wake" });
});

test("a machine that shall be exchanged is told so, on each of its sockets; and known to have been, in the next life", async () => {
  const group = newGroup();
  const bad = await connect(user.key, group, "m1");
  const other = await connect(user.key, group, "m2");
  const report = (job: ClaimedJob, machine: string, end: string) =>
    send<ReportAnswer>("POST", `/jobs/${job.id}/${end}`, {
      key: user.key,
      body: {
        machine_id: machine,
        container_group_id: group,
        attempt: job.attempt,
        lease_token: job.lease_token,
      },
    });
  for (let n = 0; n < 2; n++) {
    const job = await held(group, "m1");
    await report(job, "m1", "failed");
    const query = `machine_id=m2&container_group_id=${group}&claim_id=${crypto.randomUUID()}`;
    const { body } = await send<ClaimedJob[]>("GET", `/work?${query}`, { key: user.key });
    await report(body[0] ?? job, "m2", "completed");
  }
  const { body } = await report(await held(group, "m1"), "m1", "failed");
  expect(body.reallocate).toMatch(/did better on others$/);
  expect(await bad.next()).toEqual({ type: "reallocate", reason: body.reallocate });
  await other.upToDate();
  expect(other.messages.filter(({ type }) => type === "reallocate")).toEqual([]);

  await evictDurableObject(stubOf(user.id, group));
  await runInDurableObject(stubOf(user.id, group), (_object, state) => {
    state.storage.sql.exec("UPDATE reallocations SET told_ms = ?", Date.now() - 6 * 60_000);
  });
  const key = { userId: user.id, containerGroupId: group };
  const api = stubOf(user.id, group) as unknown as GroupApi;
  expect(await api.badMachines(key)).toEqual([{ machineId: "m1", reason: body.reallocate }]);
  await api.reallocated(key, "m1");
  expect(await api.badMachines(key)).toEqual([]);
});

const apiOf = (group: string) => stubOf(user.id, group) as unknown as AgentsApi;

test("a drained machine is told, stays drained across sockets and lives, and is not woken", async () => {
  const group = newGroup();
  const drained = await connect(user.key, group, "m1");
  const other = await connect(user.key, group, "m2");
  await lineUp(user.id, group, { m1: drained, m2: other });
  expect(await apiOf(group).drain(["m1", "m9"])).toBe(1);
  expect(await drained.next()).toEqual({ type: "drain" });
  await submit(user.key, { container_group_id: group });
  expect(await other.next()).toEqual({ type: "wake" });
  await drained.upToDate();
  expect(drained.messages).toEqual([{ type: "resume" }, { type: "drain" }]);

  await evictDurableObject(stubOf(user.id, group), { webSockets: "close" });
  const again = await open(user.key, group, "m1");
  expect(await again.next()).toEqual({ type: "drain" });
  expect(await apiOf(group).resume(["m1"])).toBe(1);
  expect(await again.next()).toEqual({ type: "resume" });
  await connect(user.key, group, "m1");
});
