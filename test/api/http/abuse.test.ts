/** What a tester broke once. */
import { beforeAll, expect, test } from "vitest";
import type { Attempt, Job } from "../../../src/contract/index.ts";
import { getJob, send, signUp, submission, submit } from "./client.ts";

let key: string;
beforeAll(async () => {
  ({ key } = await signUp("abused"));
});

test("HEAD /work hands no job to nobody", async () => {
  const job = await submit(key, { container_group_id: "headed" });
  const { status } = await send("HEAD", "/work?machine_id=m&container_group_id=headed", { key });
  expect(status).toBe(400);
  expect((await getJob(key, job.id)).status).toBe("pending");
});

test.each([".", ".."])("a group %s, which no URL can name, is refused", async (group) => {
  const { status, body } = await send("POST", "/jobs", {
    key,
    body: submission({ container_group_id: group }),
  });
  expect([status, body.field]).toEqual([400, "container_group_id"]);
});

test.each([
  ["environment", Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`=${i}`, 1]))],
  ["arguments", Array.from({ length: 200_000 }, () => 1)],
])("a bomb of bad entries in %s is counted, not looked at", async (field, bomb) => {
  const bad = submission({ [field]: bomb });
  const one = await send("POST", "/jobs", { key, body: bad });
  expect([one.status, one.body.field]).toEqual([400, field]);
  const batch = await send("POST", "/jobs/batch", { key, body: [submission(), bad] });
  expect([batch.status, batch.body.field, batch.body.index]).toEqual([400, field, 1]);
});

test("a reason with NUL and half characters is kept as far as it can be read", async () => {
  const job: Job = await submit(key, { container_group_id: "reasons", max_failures: 1 });
  const said = `a\0b${"x".repeat(996)}\u{1f415}`;
  const report = { machine_id: "m", container_group_id: "reasons", reason: said };
  await send("GET", "/work?machine_id=m&container_group_id=reasons", { key });
  expect((await send("POST", `/jobs/${job.id}/failed`, { key, body: report })).status).toBe(202);
  const { body } = await send<{ attempts: Attempt[] }>("GET", `/jobs/${job.id}/attempts`, { key });
  expect(body.attempts[0]?.reason).toBe(`a b${"x".repeat(996)}`);
});
