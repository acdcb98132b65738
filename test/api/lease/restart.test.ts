/** What survives the object's death, and what its alarm and the cron sweep do, on real workerd. */
import {
  createScheduledController,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import type { Attempt, ClaimedJob, HeartbeatAnswer, Message } from "../../../src/contract/index.ts";
import worker from "../../../src/index.ts";
import { getJob, send, signUp, submit } from "../http/client.ts";

let user: { id: string; key: string };
beforeAll(async () => {
  user = await signUp("restarters");
});

const stubOf = (group: string) => env.GROUPS.getByName(JSON.stringify([user.id, group]));

async function claim(group: string, machine: string): Promise<ClaimedJob | undefined> {
  const query = `machine_id=${machine}&container_group_id=${group}&claim_id=${crypto.randomUUID()}`;
  const { body } = await send<ClaimedJob[]>("GET", `/work?${query}`, { key: user.key });
  return body[0];
}

const holderOf = (job: ClaimedJob, group: string, machine: string) => ({
  machine_id: machine,
  container_group_id: group,
  attempt: job.attempt,
  lease_token: job.lease_token,
});

async function beat(job: ClaimedJob, group: string, machine: string): Promise<HeartbeatAnswer> {
  const body = holderOf(job, group, machine);
  return (await send<HeartbeatAnswer>("POST", `/jobs/${job.id}/heartbeat`, { key: user.key, body })).body;
}

/** Lets all leases of a group lapse: moves them, not the clock. */
async function lapse(group: string): Promise<void> {
  await runInDurableObject(stubOf(group), async (_object, state) => {
    state.storage.sql.exec("UPDATE leases SET expires_ms = ?", Date.now() - 1);
  });
}

test("the group's object is evicted mid-job: the lease goes on, the report is accepted", async () => {
  await submit(user.key, { container_group_id: "evicted" });
  const job = await claim("evicted", "m1");
  if (!job) throw new Error("no job");
  await beat(job, "evicted", "m1");
  await evictDurableObject(stubOf("evicted"));
  expect(await beat(job, "evicted", "m1")).toMatchObject({ status: "running", lease_seconds: 60 });
  const report = await send<Message>("POST", `/jobs/${job.id}/completed`, {
    key: user.key,
    body: holderOf(job, "evicted", "m1"),
  });
  expect(report.status).toBe(200);
  expect((await getJob(user.key, job.id)).status).toBe("completed");
});

test("a silent node's lease is ended by the alarm, and the next machine gets attempt 2", async () => {
  await submit(user.key, { container_group_id: "silent" });
  const job = await claim("silent", "m1");
  if (!job) throw new Error("no job");
  await beat(job, "silent", "m1");
  await lapse("silent");
  expect(await runDurableObjectAlarm(stubOf("silent"))).toBe(true);
  expect(await getJob(user.key, job.id)).toMatchObject({ status: "pending", num_interruptions: 1 });
  expect(await claim("silent", "m2")).toMatchObject({ id: job.id, attempt: 2 });
  expect(await beat(job, "silent", "m1")).toEqual({ status: "canceled", reason: "superseded" });
  const { body } = await send<{ attempts: Attempt[] }>("GET", `/jobs/${job.id}/attempts`, { key: user.key });
  expect(body.attempts.map(({ number, machine_id, end }) => ({ number, machine_id, end }))).toEqual([
    { number: 1, machine_id: "m1", end: "interrupted" },
    { number: 2, machine_id: "m2", end: null },
  ]);
});

test("an alarm is set as long as a job runs, and none when nothing does", async () => {
  await submit(user.key, { container_group_id: "quiet" });
  const job = await claim("quiet", "m1");
  if (!job) throw new Error("no job");
  const alarm = () => runInDurableObject(stubOf("quiet"), (_object, state) => state.storage.getAlarm());
  expect(await alarm()).toBeGreaterThan(Date.now());
  await send("POST", `/jobs/${job.id}/completed`, { key: user.key, body: holderOf(job, "quiet", "m1") });
  await runDurableObjectAlarm(stubOf("quiet"));
  expect(await alarm()).toBeNull();
});

test("a job that runs in D1 without a lease is adopted by the cron sweep, and given out again", async () => {
  const { id } = await submit(user.key, { container_group_id: "orphaned" });
  await env.DB.prepare("UPDATE jobs SET status = 'running', attempt = 1, machine_id = 'gone' WHERE id = ?")
    .bind(id)
    .run();
  await worker.scheduled(createScheduledController(), env);
  await lapse("orphaned");
  await runDurableObjectAlarm(stubOf("orphaned"));
  expect(await claim("orphaned", "m2")).toMatchObject({ id, attempt: 2 });
});

test("a lease whose job has ended in D1 is dropped by the cron sweep", async () => {
  await submit(user.key, { container_group_id: "stale" });
  await submit(user.key, { container_group_id: "stale" });
  const ended = await claim("stale", "m1");
  const goesOn = await claim("stale", "m2");
  if (!ended || !goesOn) throw new Error("no job");
  await beat(ended, "stale", "m1");
  await env.DB.prepare("UPDATE jobs SET status = 'canceled' WHERE id = ?").bind(ended.id).run();
  await runInDurableObject(stubOf("stale"), async (_object, state) => {
    state.storage.sql.exec("UPDATE leases SET granted_ms = granted_ms - 120000");
  });
  await worker.scheduled(createScheduledController(), env);
  expect(await beat(ended, "stale", "m1")).toEqual({ status: "canceled", reason: "canceled" });
  expect(await beat(goesOn, "stale", "m2")).toMatchObject({ status: "running" });
});
