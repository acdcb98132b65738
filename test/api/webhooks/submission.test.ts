/** What may be asked for: refused before anything is written, with the field at fault. */
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import type { Job } from "../../../src/contract/index.ts";
import { getJob, send, signUp, submission, submit } from "../http/client.ts";

let key: string;
beforeAll(async () => {
  ({ key } = await signUp("asks"));
});
const jobs = async () => (await env.DB.prepare("SELECT COUNT(*) AS n FROM jobs").first<{ n: number }>())?.n;

test.each([
  ["a private address", { webhook: "http://10.0.0.1/" }, "webhook"],
  ["a local name", { webhook: "http://localhost:8080/" }, "webhook"],
  ["credentials before the host", { webhook: "https://user:password@hooks.test/" }, "webhook"],
  ["no http", { webhook: "ftp://hooks.test/" }, "webhook"],
  ["no such event", { webhook: "https://hooks.test/", webhook_events: ["started"] }, "webhook_events[0]"],
  [
    "an event twice",
    { webhook: "https://hooks.test/", webhook_events: ["failed", "failed"] },
    "webhook_events",
  ],
  ["no event", { webhook: "https://hooks.test/", webhook_events: [] }, "webhook_events"],
  ["a thousand events", { webhook_events: Array.from({ length: 1000 }, () => "failed") }, "webhook_events"],
  ["no list", { webhook_events: "failed" }, "webhook_events"],
])("%s is a 400", async (_name, fields, field) => {
  const before = await jobs();
  const { status, body } = await send("POST", "/jobs", { key, body: submission(fields) });
  expect([status, body.field]).toEqual([400, field]);
  expect(JSON.stringify(body)).not.toContain("password");
  const batch = [submission(), submission(fields)];
  const many = await send("POST", "/jobs/batch", { key, body: batch });
  expect([many.status, many.body.field, many.body.index]).toEqual([400, field, 1]);
  expect(await jobs()).toBe(before);
});

test("the events are answered, by default as null", async () => {
  const asked = await submit(key, {
    webhook: "https://hooks.test/",
    webhook_events: ["interrupted", "failed"],
  });
  expect(asked.webhook_events).toEqual(["interrupted", "failed"]);
  expect(await getJob(key, asked.id)).toEqual(asked);
  const { body } = await send<Job>("POST", "/jobs", { key, body: submission({ webhook_events: null }) });
  expect(body.webhook_events).toBeNull();
});
