/** The same key and request answer the first result; another request is refused; there are all jobs of a submission or none. */
import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import type { Job, JobList } from "../../../src/contract/index.ts";
import type { Bindings } from "../../../src/env.ts";
import worker from "../../../src/index.ts";
import { claim, newGroup, send, signUp, submission } from "./client.ts";

let users = 0;
let user: { id: string; key: string };
let group: string;
beforeEach(async () => {
  user = await signUp(`idempotent-${++users}`);
  group = newGroup();
});

const jobOf = (fields = {}) => submission({ container_group_id: group, ...fields });
const post = <Body = Job>(path: string, body: unknown, idempotencyKey: string, key = user.key) =>
  send<Body>("POST", path, { key, body, headers: { "Idempotency-Key": idempotencyKey } });
const queued = async (key = user.key) =>
  (await send<JobList>("GET", `/jobs?container_group_id=${group}&page_size=1000`, { key })).body.jobs.length;

test("a repeat answers the first job, as it is now", async () => {
  const first = await post("/jobs", jobOf(), "k");
  expect(first.status).toBe(202);
  const again = await post("/jobs", jobOf(), "k");
  expect(again).toMatchObject({ status: 202, body: first.body });
  await claim(user.key, group, "m1");
  const running = await post("/jobs", jobOf(), "k");
  expect(running.body).toMatchObject({ id: first.body.id, status: "running", machine_id: "m1", attempt: 1 });
  expect(await queued()).toBe(1);
});

test("a batch of several statements is repeated in its order", async () => {
  const jobs = Array.from({ length: 12 }, (_, n) =>
    jobOf({ command: `c${n}`, environment: { A: "x".repeat(90_000), B: "y".repeat(90_000) } }),
  );
  const first = await post<Job[]>("/jobs/batch", jobs, "k");
  expect(first.status).toBe(202);
  const again = await post<Job[]>("/jobs/batch", jobs, "k");
  expect(again.status).toBe(202);
  expect(again.body.map(({ command }) => command)).toEqual(jobs.map(({ command }) => command));
  expect(again.body.map(({ id }) => id)).toEqual(first.body.map(({ id }) => id));
  expect(await queued()).toBe(12);
});

test("another request with the key is a 422 that names the header, and writes nothing", async () => {
  await post("/jobs", jobOf(), "k");
  for (const [path, body] of [
    ["/jobs", jobOf({ command: "other" })],
    ["/jobs/batch", [jobOf()]],
    // The same to us, but other bytes: what absent fields mean may change.
    ["/jobs", jobOf({ priority: 0 })],
  ] as const) {
    expect(await post(path, body, "k")).toMatchObject({
      status: 422,
      body: { error: "idempotency_mismatch", field: "Idempotency-Key" },
    });
  }
  expect(await queued()).toBe(1);
});

test("of ten at once one submits, all answer its job", async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => post("/jobs", jobOf(), "k")));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  expect(await queued()).toBe(1);
});

test("of two different ones at once one submits, the other is refused", async () => {
  const answers = await Promise.all(
    ["a", "b"].map((command) => post("/jobs/batch", [jobOf({ command }), jobOf({ command })], "k")),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([202, 422]);
  expect(await queued()).toBe(2);
});

test("keys are each user's own, and of one submission each", async () => {
  const other = await signUp(`idempotent-${++users}`);
  const own = await post("/jobs", jobOf(), "k");
  const theirs = await post("/jobs", jobOf(), "k", other.key);
  const next = await post("/jobs", jobOf(), "k2");
  expect(new Set([own, theirs, next].map(({ body }) => body.id)).size).toBe(3);
  expect(theirs.body.user_id).toBe(other.id);
});

describe("no key", () => {
  test.each(["", "a b", "k".repeat(256), "schlüssel", "a\tb"])("%j is a 400", async (key) => {
    expect(await post("/jobs", jobOf(), key)).toMatchObject({
      status: 400,
      body: { error: "invalid_request", field: "Idempotency-Key" },
    });
    expect(await queued()).toBe(0);
  });

  test("the longest there is, with every visible character", async () => {
    const visible = String.fromCharCode(...Array.from({ length: 94 }, (_, n) => 33 + n));
    const key = visible.repeat(3).slice(0, 255);
    const first = await post("/jobs", jobOf(), key);
    expect((await post("/jobs", jobOf(), key)).body.id).toBe(first.body.id);
  });
});

test("a malformed request takes no key", async () => {
  expect((await post("/jobs", jobOf({ command: 1 }), "k")).status).toBe(400);
  const large = "x".repeat(90_000);
  const tooLarge = jobOf({ environment: { A: large, B: large, C: large } });
  expect((await post("/jobs", tooLarge, "k")).status).toBe(413);
  expect((await post("/jobs", jobOf(), "k")).status).toBe(202);
});

test("a key of a day ago is a new submission's; a younger one is not", async () => {
  const first = await post("/jobs", jobOf(), "k");
  const age = (ms: number) =>
    env.DB.prepare("UPDATE idempotency_keys SET created = ?1 WHERE user_id = ?2")
      .bind(Date.now() - ms, user.id)
      .run();
  await age(24 * 3_600_000 - 60_000);
  expect((await post("/jobs", jobOf(), "k")).body.id).toBe(first.body.id);
  await age(24 * 3_600_000);
  const second = await post("/jobs", jobOf({ command: "other" }), "k");
  expect(second.status).toBe(202);
  expect(second.body.id).not.toBe(first.body.id);
  expect((await post("/jobs", jobOf({ command: "other" }), "k")).body.id).toBe(second.body.id);
});

test("D1 applied the write and its answer was lost: the retry finds the jobs", async () => {
  const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const losing = {
    prepare: (sql: string) => env.DB.prepare(sql),
    batch: async (statements: D1PreparedStatement[]) => {
      await env.DB.batch(statements);
      throw new Error("Network connection lost.");
    },
  };
  const body = [jobOf(), jobOf()];
  const request = new Request("https://api.test/jobs/batch", {
    method: "POST",
    headers: { "X-Kelpie-Key": user.key, "Idempotency-Key": "k" },
    body: JSON.stringify(body),
  });
  const context = createExecutionContext();
  const bindings: Bindings = { ...env, DB: losing as unknown as D1Database };
  const lost = await createApp().fetch(request, bindings, context);
  await waitOnExecutionContext(context);
  warnings.mockRestore();
  expect(lost.status).toBe(503);
  expect(await queued()).toBe(2);
  const retried = await post<Job[]>("/jobs/batch", body, "k");
  expect(retried.status).toBe(202);
  expect(await queued()).toBe(2);
  expect(retried.body).toHaveLength(2);
});

test("what was removed meanwhile is not submitted a second time", async () => {
  const body = [jobOf(), jobOf()];
  await post("/jobs/batch", body, "k");
  await claim(user.key, group, "m1");
  await send("DELETE", `/jobs/container-groups/${group}`, { key: user.key });
  expect(await post("/jobs/batch", body, "k")).toMatchObject({
    status: 409,
    body: { error: "conflict", reason: "removed" },
  });
  expect(await queued()).toBe(1);
});

test("neither key nor body is stored; the cron forgets what is a day old", async () => {
  await post("/jobs", jobOf({ command: "secret-command" }), "secret-key");
  await post("/jobs", jobOf(), "old");
  const rows = () =>
    env.DB.prepare("SELECT * FROM idempotency_keys WHERE user_id = ?1 ORDER BY created").bind(user.id).all();
  const [row] = (await rows()).results;
  expect(JSON.stringify((await rows()).results)).not.toContain("secret");
  await env.DB.prepare("UPDATE idempotency_keys SET created = 1 WHERE key_hash <> ?1")
    .bind(row?.key_hash)
    .run();
  await worker.scheduled(createScheduledController(), env);
  expect((await rows()).results).toEqual([row]);
});
