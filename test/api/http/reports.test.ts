/** How attempts end, over the real object. */
import { beforeAll, describe, expect, test } from "vitest";
import type { AttemptList, ErrorBody, HeartbeatAnswer, ReportAnswer } from "../../../src/contract/index.ts";
import { claim, getJob, newGroup, send, signUp, submit, tellerOf } from "./client.ts";

let key: string;
beforeAll(async () => {
  ({ key } = await signUp("owner"));
});
const tell = tellerOf(() => key);
const attemptsOf = async (id: string) =>
  (await send<AttemptList>("GET", `/jobs/${id}/attempts`, { key })).body.attempts;

describe("reports", () => {
  test("completed ends the job; its repeat is a success without effects (fault 3)", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    await claim(key, group, "m1");
    expect((await tell(group, "m1", id, "completed", { exit_code: 0, bytes_uploaded: 7 })).status).toBe(200);
    const ended = await getJob(key, id);
    expect(ended.status).toBe("completed");
    const repeat = await tell(group, "m1", id, "completed");
    expect([repeat.status, typeof repeat.body.message]).toEqual([200, "string"]);
    expect(await getJob(key, id)).toEqual(ended);

    const attempts = await send<AttemptList>("GET", `/jobs/${id}/attempts`, { key });
    expect(attempts.body).toMatchObject({
      _count: 1,
      attempts: [{ number: 1, machine_id: "m1", end: "completed", exit_code: 0, bytes_uploaded: 7 }],
    });
  });

  test("failed sends the job to another machine, up to max_failures", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group, max_failures: 2 });
    await claim(key, group, "m1");
    expect((await tell(group, "m1", id, "failed", { exit_code: 3 })).status).toBe(202);
    expect(await getJob(key, id)).toMatchObject({ status: "pending", num_failures: 1 });
    expect(await claim(key, group, "m1")).toEqual([]);
    expect((await claim(key, group, "m2"))[0]?.id).toBe(id);
    expect((await tell(group, "m2", id, "failed")).status).toBe(202);
    expect(await getJob(key, id)).toMatchObject({ status: "failed", num_failures: 2 });
  });

  test("released puts the job back, and nothing is counted", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    const [held] = await claim(key, group, "m1", "&claim_id=c1");
    const proof = { attempt: held?.attempt, lease_token: held?.lease_token };
    expect((await tell(group, "m1", id, "released", proof)).status).toBe(200);
    expect(await getJob(key, id)).toMatchObject({ status: "pending", num_failures: 0, num_interruptions: 0 });
  });

  test("stalled sends the job on, and counts nothing; not to this machine", async () => {
    const group = newGroup();
    const { id } = await submit(key, {
      container_group_id: group,
      max_failures: 1,
      stall_timeout_seconds: 60,
    });
    const [held] = await claim(key, group, "m1", "&claim_id=c1");
    const proof = { attempt: held?.attempt, lease_token: held?.lease_token };
    const { status, body } = await tell(group, "m1", id, "stalled", {
      ...proof,
      reason: "nothing new for 60 s",
    });
    expect([status, body]).toEqual([200, { message: "Job stalled" }]);
    expect(await getJob(key, id)).toMatchObject({ status: "pending", num_failures: 0, num_interruptions: 0 });
    expect(await claim(key, group, "m1", "&claim_id=c2")).toEqual([]);
    expect((await claim(key, group, "m2"))[0]?.id).toBe(id);
    expect((await attemptsOf(id))[0]).toMatchObject({ end: "stalled", reason: "nothing new for 60 s" });
  });

  test("timed_out is a failure", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group, max_failures: 1, timeout_seconds: 7 });
    await claim(key, group, "m1");
    const { status, body } = await tell(group, "m1", id, "timed_out", { reason: "ran for longer than 7 s" });
    expect([status, body]).toEqual([200, { message: "Job timed out" }]);
    expect(await getJob(key, id)).toMatchObject({
      status: "failed",
      num_failures: 1,
      failed_reason: "ran for longer than 7 s",
    });
    expect((await attemptsOf(id))[0]).toMatchObject({ end: "timed_out" });
  });

  test("tell what ended the command, and how far it had come", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    await claim(key, group, "m1");
    const progress = { step: 7, total: 10, message: "almost" };
    await tell(group, "m1", id, "failed", { exit_code: 137, cause: "out_of_memory", progress });
    expect((await attemptsOf(id))[0]).toMatchObject({ exit_code: 137, cause: "out_of_memory" });
    const job = await getJob(key, id);
    expect(job.progress).toEqual({ ...progress, at: expect.stringMatching(/^\d{4}-.*Z$/) });
    const other = await tell<ErrorBody>(group, "m1", id, "failed", { cause: "bad luck" });
    expect([other.status, other.body.field]).toEqual([400, "cause"]);
    const negative = await tell<ErrorBody>(group, "m1", id, "failed", { progress: { step: -1 } });
    expect([negative.status, negative.body.field]).toEqual([400, "progress.step"]);
  });

  test("a machine whose failed jobs others completed is told to have itself exchanged", async () => {
    const group = newGroup();
    const answers: (string | undefined)[] = [];
    for (let n = 0; n < 3; n++) {
      const { id } = await submit(key, { container_group_id: group });
      await claim(key, group, "bad");
      answers.push((await tell<ReportAnswer>(group, "bad", id, "failed")).body.reallocate);
      await claim(key, group, "good");
      await tell(group, "good", id, "completed");
    }
    expect(answers).toEqual([
      undefined,
      undefined,
      expect.stringMatching(/^2 jobs that failed on this machine/),
    ]);
  });

  test("of a job that nobody has claimed are accepted", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    expect((await tell(group, "m1", id, "completed")).status).toBe(200);
    expect((await getJob(key, id)).status).toBe("completed");
  });

  test.each(["completed", "failed", "released", "stalled", "timed_out"])(
    "%s by a machine that does not hold it is a 409",
    async (what) => {
      const group = newGroup();
      const { id } = await submit(key, { container_group_id: group });
      await claim(key, group, "m1");
      const { status, body } = await send("POST", `/jobs/${id}/${what}`, {
        key,
        body: { machine_id: "m2", container_group_id: group },
      });
      expect(status).toBe(409);
      expect(body).toMatchObject({ error: "conflict", reason: expect.any(String) });
      expect((await getJob(key, id)).status).toBe("running");
    },
  );

  test.each(["completed", "failed", "released", "stalled", "timed_out"])(
    "%s of an unknown job is a 404, no success for nothing (fault 4)",
    async (what) => {
      expect((await tell("g", "m1", crypto.randomUUID(), what)).status).toBe(404);
    },
  );
});

describe("ended is ended (fault 3)", () => {
  test("a completed job is neither canceled nor failed", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    await claim(key, group, "m1");
    await tell(group, "m1", id, "completed");
    const ended = await getJob(key, id);
    const cancel = await send("DELETE", `/jobs/${id}`, { key });
    expect([cancel.status, cancel.body.reason]).toEqual([409, "completed"]);
    expect((await tell(group, "m1", id, "failed")).status).toBe(409);
    expect(await getJob(key, id)).toEqual(ended);
  });

  test("a canceled job does not complete", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    await claim(key, group, "m1");
    expect((await send("DELETE", `/jobs/${id}`, { key })).status).toBe(202);
    expect((await tell<HeartbeatAnswer>(group, "m1", id, "heartbeat")).body.status).toBe("canceled");
    expect((await tell(group, "m1", id, "completed")).status).toBe(409);
    expect((await getJob(key, id)).status).toBe("canceled");
  });
});
