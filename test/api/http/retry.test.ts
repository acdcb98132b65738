import { beforeAll, describe, expect, test } from "vitest";
import type { Attempt, ClaimedJob, Job } from "../../../src/contract/index.ts";
import { getJob, send, signUp, submission, submit } from "./client.ts";

let user: { id: string; key: string };
beforeAll(async () => {
  user = await signUp("retrier");
});

async function claim(group: string, machine: string): Promise<ClaimedJob | undefined> {
  const path = `/work?machine_id=${machine}&container_group_id=${group}`;
  return (await send<ClaimedJob[]>("GET", path, { key: user.key })).body[0];
}

const report = (job: { id: string }, group: string, machine: string, end: string) =>
  send("POST", `/jobs/${job.id}/${end}`, {
    key: user.key,
    body: { machine_id: machine, container_group_id: group, reason: "exit code 3" },
  });

describe("an ended job sent back", () => {
  test("runs again, with its failures and bans forgiven and its attempts kept", async () => {
    const job = await submit(user.key, { container_group_id: "again", max_failures: 1 });
    await claim("again", "m1");
    expect((await report(job, "again", "m1", "failed")).status).toBe(202);
    expect(await getJob(user.key, job.id)).toMatchObject({ status: "failed", failed_reason: "exit code 3" });

    const { status, body } = await send<Job>("POST", `/jobs/${job.id}/retry`, { key: user.key });
    expect(status).toBe(202);
    expect(body).toMatchObject({ status: "pending", failed: null, failed_reason: null, num_failures: 0 });
    expect(await claim("again", "m1")).toMatchObject({ id: job.id, attempt: 2 });
    expect((await report(job, "again", "m1", "completed")).status).toBe(200);
    const attempts = await send<{ attempts: Attempt[] }>("GET", `/jobs/${job.id}/attempts`, {
      key: user.key,
    });
    expect(attempts.body.attempts.map((attempt) => attempt.end)).toEqual(["failed", "completed"]);
  });

  test("and one that waits for its bans to end: canceled and sent back, it is open to the same machine at once", async () => {
    const job = await submit(user.key, { container_group_id: "banned" });
    await claim("banned", "m1");
    await report(job, "banned", "m1", "failed");
    expect(await claim("banned", "m1")).toBeUndefined();
    expect((await send("DELETE", `/jobs/${job.id}`, { key: user.key })).status).toBe(202);
    expect((await send("POST", `/jobs/${job.id}/retry`, { key: user.key })).status).toBe(202);
    expect(await claim("banned", "m1")).toMatchObject({ id: job.id, attempt: 2, num_failures: 0 });
  });

  test("has ended: one that waits or runs is a 409, and stays as it is", async () => {
    const job = await submit(user.key, { container_group_id: "early" });
    const retry = () => send("POST", `/jobs/${job.id}/retry`, { key: user.key });
    expect([(await retry()).status, (await retry()).body.reason]).toEqual([409, "not_ended"]);
    await claim("early", "m1");
    expect((await retry()).status).toBe(409);
    expect(await getJob(user.key, job.id)).toMatchObject({ status: "running", attempt: 1 });
  });

  test("is one's own: a stranger's is a 404", async () => {
    const stranger = await signUp("retrying-stranger");
    const job = await submit(user.key, { container_group_id: "mine" });
    await send("DELETE", `/jobs/${job.id}`, { key: user.key });
    expect((await send("POST", `/jobs/${job.id}/retry`, { key: stranger.key })).status).toBe(404);
    expect((await getJob(user.key, job.id)).status).toBe("canceled");
  });
});

describe("retry_delay_seconds", () => {
  test("keeps a failed job back, and says until when", async () => {
    const job = await submit(user.key, { container_group_id: "delayed", retry_delay_seconds: 3600 });
    expect(job).toMatchObject({ retry_delay_seconds: 3600, available: null });
    await claim("delayed", "m1");
    await report(job, "delayed", "m1", "failed");
    const failed = await getJob(user.key, job.id);
    expect(failed.status).toBe("pending");
    expect(Date.parse(failed.available ?? "")).toBeGreaterThan(Date.now() + 3_500_000);
    expect(await claim("delayed", "m2")).toBeUndefined();
  });

  test.each([-1, 86_401, 1.5, "60"])("%s is a 400 that names it", async (delay) => {
    const body = submission({ retry_delay_seconds: delay });
    const { status, body: error } = await send("POST", "/jobs", { key: user.key, body });
    expect([status, error.field]).toEqual([400, "retry_delay_seconds"]);
  });
});
