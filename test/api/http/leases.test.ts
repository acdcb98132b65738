/** Claims, heartbeats and renewals over the real object; the lease protocol itself has its own tests. */
import { beforeAll, describe, expect, test } from "vitest";
import type { AttemptList, ErrorBody, HeartbeatAnswer, RenewalAnswer } from "../../../src/contract/index.ts";
import { claim, getJob, newGroup, send, signUp, submit, tellerOf } from "./client.ts";

let key: string;
let stranger: string;
beforeAll(async () => {
  ({ key } = await signUp("owner"));
  ({ key: stranger } = await signUp("stranger"));
});
const tell = tellerOf(() => key);

describe("work", () => {
  test("an old worker gets a running job, without a lease's fields", async () => {
    const group = newGroup();
    const job = await submit(key, { container_group_id: group });
    const [claimed] = await claim(key, group, "m1");
    expect(claimed).toMatchObject({ id: job.id, status: "running", machine_id: "m1", attempt: 1 });
    expect(claimed?.started).not.toBeNull();
    expect(claimed).not.toHaveProperty("lease_token");
    expect(await claim(key, group, "m2")).toEqual([]);
  });

  test("our agent gets the lease beside the job, and the same one again when it repeats its claim", async () => {
    const group = newGroup();
    const job = await submit(key, { container_group_id: group, heartbeat_interval: 15 });
    const [claimed] = await claim(key, group, "m1", "&claim_id=c1&instance_id=i1");
    expect(claimed).toMatchObject({
      id: job.id,
      lease_token: expect.any(String),
      lease_seconds: expect.any(Number),
    });
    const [repeated] = await claim(key, group, "m1", "&claim_id=c1&instance_id=i1");
    expect(repeated).toMatchObject({
      id: job.id,
      attempt: claimed?.attempt,
      lease_token: claimed?.lease_token,
    });
  });

  test("the highest priority comes first", async () => {
    const group = newGroup();
    const low = await submit(key, { container_group_id: group });
    const high = await submit(key, { container_group_id: group, priority: 5 });
    expect((await claim(key, group, "m1"))[0]?.id).toBe(high.id);
    expect((await claim(key, group, "m1"))[0]?.id).toBe(low.id);
  });

  test("another user's group of the same name is another queue", async () => {
    const group = newGroup();
    await submit(key, { container_group_id: group });
    expect(await claim(stranger, group, "m1")).toEqual([]);
  });

  test.each(["", "?machine_id=m", "?container_group_id=g", "?machine_id=&container_group_id=g"])(
    "without both ids is a 400: %j",
    async (query) => {
      const { status, body } = await send("GET", `/work${query}`, { key });
      expect(status).toBe(400);
      expect(body.field).toMatch(/^(machine_id|container_group_id)$/);
    },
  );
});

describe("facts about the node", () => {
  test("come with the claim and stand on the attempt", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    const facts = "&agent_version=1.2.3&gpu_model=NVIDIA%20RTX%204090&gpu_count=2&memory_bytes=64000000000";
    await claim(key, group, "m1", `&claim_id=c1${facts}`);
    const { body } = await send<AttemptList>("GET", `/jobs/${id}/attempts`, { key });
    expect(body.attempts[0]?.node).toEqual({
      agent_version: "1.2.3",
      gpu_model: "NVIDIA RTX 4090",
      gpu_count: 2,
      memory_bytes: 64_000_000_000,
    });
  });

  test("are none of an old worker's business", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    await claim(key, group, "m1");
    const { body } = await send<AttemptList>("GET", `/jobs/${id}/attempts`, { key });
    expect(body.attempts[0]?.node).toBeNull();
  });

  test.each([
    ["gpu_count", "many"],
    ["gpu_model", "x".repeat(101)],
    ["memory_bytes", "-1"],
  ])("that make no sense are a 400: %s", async (field, value) => {
    const group = newGroup();
    const job = await submit(key, { container_group_id: group });
    const path = `/work?machine_id=m1&container_group_id=${group}&${field}=${value}`;
    const { status, body } = await send("GET", path, { key });
    expect([status, body.field]).toEqual([400, field]);
    expect((await getJob(key, job.id)).status).toBe("pending");
  });
});

describe("heartbeats", () => {
  test("keep the holder running, and show in the job at once", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    await claim(key, group, "m1");
    const { status, body } = await tell<HeartbeatAnswer>(group, "m1", id, "heartbeat");
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "running", lease_seconds: expect.any(Number) });
    const job = await getJob(key, id);
    expect(job.status).toBe("running");
    expect(Date.now() - Date.parse(job.heartbeat ?? "")).toBeLessThan(10_000);
  });

  test("tell another machine to drop the job", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    await claim(key, group, "m1");
    const { body } = await tell<HeartbeatAnswer>(group, "m2", id, "heartbeat");
    expect(body.status).toBe("canceled");
  });

  test("of a job that nobody has claimed change nothing", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    expect((await tell<HeartbeatAnswer>(group, "m1", id, "heartbeat")).body).toEqual({ status: "pending" });
  });

  test("of an unknown job are a 404", async () => {
    expect((await tell("g", "m1", crypto.randomUUID(), "heartbeat")).status).toBe(404);
    expect((await tell("g", "m1", "not-a-uuid", "heartbeat")).status).toBe(404);
  });

  test("without a body are a 400", async () => {
    expect((await send("POST", `/jobs/${crypto.randomUUID()}/heartbeat`, { key })).status).toBe(400);
  });
});

describe("renewals", () => {
  test("go in one call, answered in order; a lease that is none is canceled with its reason", async () => {
    const group = newGroup();
    await submit(key, { container_group_id: group });
    const [held] = await claim(key, group, "m1", "&claim_id=c1");
    const unknown = crypto.randomUUID();
    const { status, body } = await send<RenewalAnswer>("POST", "/leases/renew", {
      key,
      body: {
        machine_id: "m1",
        container_group_id: group,
        leases: [
          { job_id: unknown, attempt: 1, lease_token: "x" },
          { job_id: held?.id, attempt: held?.attempt, lease_token: held?.lease_token },
          { job_id: held?.id, attempt: held?.attempt, lease_token: "forged" },
        ],
      },
    });
    expect(status).toBe(200);
    expect(body.leases).toMatchObject([
      { job_id: unknown, attempt: 1, status: "canceled", reason: "unknown_job" },
      { job_id: held?.id, attempt: 1, status: "running", lease_seconds: expect.any(Number) },
      { job_id: held?.id, attempt: 1, status: "canceled" },
    ]);
  });

  test("tell how far the command has come: shown by the job at once, as D1 has not heard of it yet", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    const [held] = await claim(key, group, "m1", "&claim_id=c1");
    const renew = (told: Record<string, unknown>) =>
      send<RenewalAnswer & ErrorBody>("POST", "/leases/renew", {
        key,
        body: {
          machine_id: "m1",
          container_group_id: group,
          leases: [{ job_id: id, attempt: held?.attempt, lease_token: held?.lease_token, ...told }],
        },
      });
    const progress_report = { step: 1200, total: 50_000, message: "loss 0.3" };
    expect((await renew({ progress: 3, progress_report, uploading: false })).status).toBe(200);
    const { progress } = await getJob(key, id);
    expect(progress).toEqual({ ...progress_report, at: expect.any(String) });
    expect((await renew({ progress: 3 })).status).toBe(200);
    expect((await getJob(key, id)).progress).toEqual(progress);
    const { status, body } = await renew({ progress_report: { step: "far" } });
    expect([status, body.field]).toEqual([400, "leases[0].progress_report.step"]);
    // A message that is too long is cut, and never refused.
    const long = { step: 1201, message: "x".repeat(5000) };
    expect((await renew({ progress_report: long })).status).toBe(200);
    expect((await getJob(key, id)).progress?.message).toHaveLength(200);
  });

  test("name the field that is wrong", async () => {
    const body = {
      machine_id: "m1",
      container_group_id: "g",
      leases: [{ job_id: "x", attempt: 1, lease_token: "t" }],
    };
    const answer = await send("POST", "/leases/renew", { key, body });
    expect(answer.status).toBe(400);
    expect(answer.body.field).toBe("leases[0].job_id");
  });
});
