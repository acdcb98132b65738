/** Ended jobs go after their time with all that is theirs; what they published stays; what was sent back meanwhile stays whole. */
import { createScheduledController } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { purge, stepOf } from "../../../src/cron/purge.ts";
import { purgeEnded } from "../../../src/db/jobs/retention.ts";
import { prepare } from "../../../src/db/prepare.ts";
import { configOf } from "../../../src/env.ts";
import worker from "../../../src/index.ts";
import { logsOfJob, outputsOfAttempt, outputsOfJob, snapshotsOfJob } from "../../../src/storage/keys.ts";
import { adminKey, getJob, newGroup, send, signUp, submit } from "../http/client.ts";
import {
  claimHeld,
  fetchFile,
  grant,
  type HeldJob,
  holdJob,
  readAs,
  transfer,
  underLease,
} from "./client.ts";

const dayMs = 24 * 3_600_000;
let users = 0;
let user: { id: string; key: string };
beforeEach(async () => {
  user = await signUp(`retention-${++users}`);
  await env.DB.exec("DELETE FROM storage_garbage");
});

async function upload(held: HeldJob, key: string, content: string): Promise<void> {
  const request = { kind: "put", area: "outputs", key, size: content.length };
  expect((await transfer(await grant(held, request), content)).status).toBe(200);
  await underLease(held, "outputs", { files: [{ key, size: content.length }] });
}
const report = (held: HeldJob, what: string) =>
  send("POST", `/jobs/${held.jobId}/${what}`, { key: user.key, body: held.proof });
/** As if it had ended so many days ago. */
async function age(jobId: string, days: number): Promise<void> {
  const endedMs = Date.now() - days * dayMs;
  await env.DB.prepare(
    `UPDATE jobs SET completed = completed - completed + ?1, failed = failed - failed + ?1,
       canceled = canceled - canceled + ?1 WHERE id = ?2`,
  )
    .bind(endedMs, jobId)
    .run();
}
async function cron(): Promise<void> {
  const said = vi.spyOn(console, "log").mockImplementation(() => undefined);
  await worker.scheduled(createScheduledController(), env);
  said.mockRestore();
}
async function rowsOf(jobId: string): Promise<Record<string, number>> {
  const tables = ["attempts", "bans", "checkpoints", "deliveries", "outputs"];
  const counts = await env.DB.batch<{ n: number }>(
    tables.map((table) => env.DB.prepare(`SELECT COUNT(*) AS n FROM ${table} WHERE job_id = ?1`).bind(jobId)),
  );
  return Object.fromEntries(tables.map((table, at) => [table, counts[at]?.results[0]?.n ?? -1]));
}
async function garbage(): Promise<string[]> {
  const { results } = await env.DB.prepare("SELECT prefix FROM storage_garbage").all<{ prefix: string }>();
  return results.map(({ prefix }) => prefix).sort();
}
/** One row of each kind beside the attempts. */
async function addRelated(jobId: string): Promise<void> {
  await env.DB.batch([
    env.DB.prepare("INSERT INTO bans VALUES (?1, 'm9', 1)").bind(jobId),
    env.DB.prepare(
      `INSERT INTO checkpoints (job_id, prefix, attempt, generation, manifest_sha256, manifest_bytes, committed, files,
         bytes_new, bytes_total, quiet, op) VALUES (?1, 'p/', 1, 1, 'x', 1, 1, 1, 1, 1, 1, 'op')`,
    ).bind(jobId),
    env.DB.prepare(
      `INSERT INTO deliveries (id, user_id, job_id, number, event, url, attempt, container_group_id, created, op)
       VALUES ('d', 'u', ?1, 99, 'failed', 'http://x', 1, 'g', 1, 'op-99')`,
    ).bind(jobId),
  ]);
}

/** A job whose first attempt was given back with an output, and whose second completed with two. */
async function completedJob(): Promise<string> {
  const group = newGroup();
  const first = await holdJob(user.key, group);
  await upload(first, "draft", "x");
  await report(first, "released");
  const second = await claimHeld(user.key, group, "m2");
  expect(second.jobId).toBe(first.jobId);
  await upload(second, "result", "published");
  await upload(second, "log", "lines");
  expect((await report(second, "completed")).status).toBe(200);
  await addRelated(first.jobId);
  return first.jobId;
}

test("a job goes when its time is over, and its published outputs stay", async () => {
  const id = await completedJob();
  await age(id, 29.9);
  await cron();
  expect((await getJob(user.key, id)).status).toBe("completed");
  expect(await rowsOf(id)).toMatchObject({ attempts: 2, bans: 1, checkpoints: 1, outputs: 3 });

  await age(id, 30.1);
  await cron();
  expect((await send("GET", `/jobs/${id}`, { key: user.key })).status).toBe(404);
  expect(await rowsOf(id)).toEqual({ attempts: 0, bans: 0, checkpoints: 0, deliveries: 0, outputs: 2 });
  expect(await readAs(user.key, "result")).toBe("published");
  expect(await readAs(user.key, "draft")).toBeNull();
  const list = await send<{ files: { key: string }[] }>("GET", "/files", { key: user.key });
  expect(list.body.files.map(({ key }) => key)).toEqual(["log", "result"]);
  // What the sweep had not looked at is handed over; the kept ones are below none of it.
  const place = { userId: user.id, jobId: id, attempt: 1 };
  expect(await garbage()).toEqual(
    [logsOfJob(user.id, id), outputsOfAttempt(place), snapshotsOfJob(user.id, id)].sort(),
  );
});

test("once the garbage is due the bytes of the rest are gone, those that were published are not", async () => {
  const id = await completedJob();
  await env.CHECKPOINTS.put(`${snapshotsOfJob(user.id, id)}1/1/chunk`, "x");
  await age(id, 31);
  await cron();
  await env.DB.exec("UPDATE storage_garbage SET due = 1");
  await cron();
  const outputs = await env.CHECKPOINTS.list({ prefix: outputsOfJob(user.id, id) });
  expect(outputs.objects.map(({ key }) => key.split("/").at(-1)).sort()).toEqual(["log", "result"]);
  expect((await env.CHECKPOINTS.list({ prefix: snapshotsOfJob(user.id, id) })).objects).toEqual([]);
  expect(await readAs(user.key, "result")).toBe("published");
});

test("a kept output is deleted by people as any other", async () => {
  const id = await completedJob();
  await age(id, 31);
  await cron();
  expect((await fetchFile(user.key, "DELETE", "result")).status).toBeLessThan(300);
  expect(await readAs(user.key, "result")).toBeNull();
  expect(await rowsOf(id)).toMatchObject({ outputs: 1 });
});

test("the admin's clearing takes kept outputs too", async () => {
  const id = await completedJob();
  await age(id, 31);
  await cron();
  expect((await send("DELETE", "/jobs", { key: adminKey })).status).toBe(204);
  expect(await readAs(user.key, "log")).toBeNull();
  expect(await garbage()).toContain(outputsOfJob(user.id, id));
});

test("a canceled job's outputs go, with all of its bytes", async () => {
  const held = await holdJob(user.key);
  await upload(held, "never-seen", "x");
  expect((await send("DELETE", `/jobs/${held.jobId}`, { key: user.key })).status).toBe(202);
  await age(held.jobId, 31);
  await cron();
  expect(await rowsOf(held.jobId)).toMatchObject({ attempts: 0, outputs: 0 });
  const place = { userId: user.id, jobId: held.jobId, attempt: 1 };
  expect(await garbage()).toEqual(
    [logsOfJob(user.id, held.jobId), outputsOfAttempt(place), snapshotsOfJob(user.id, held.jobId)].sort(),
  );
});

test("jobs that wait or run are never old, whatever their age", async () => {
  const group = newGroup();
  const running = await holdJob(user.key, group);
  const pending = await submit(user.key, { container_group_id: newGroup() });
  await env.DB.prepare("UPDATE jobs SET created = 1, started = 1 WHERE user_id = ?1").bind(user.id).run();
  await cron();
  expect((await getJob(user.key, running.jobId)).status).toBe("running");
  expect((await getJob(user.key, pending.id)).status).toBe("pending");
});

test("sent back between the read and the write, a job keeps everything", async () => {
  const id = await completedJob();
  const other = await completedJob();
  await age(id, 31);
  await age(other, 31);
  expect((await send("POST", `/jobs/${id}/retry`, { key: user.key })).status).toBe(202);
  const before = await rowsOf(id);
  const nowMs = Date.now();
  const results = await env.DB.batch<{ id: string }>(
    purgeEnded([id, other], nowMs - 30 * dayMs, nowMs).map((statement) => prepare(env.DB, statement)),
  );
  expect(results.at(-1)?.results).toEqual([{ id: other }]);
  expect(await rowsOf(id)).toEqual(before);
  expect((await getJob(user.key, id)).status).toBe("pending");
  expect((await garbage()).some((prefix) => prefix.includes(id))).toBe(false);
});

test("many are removed in steps, the oldest end first", async () => {
  const batch = Array.from({ length: 450 }, () => ({ command: "c", container_group_id: "many", sync: {} }));
  await send("POST", "/jobs/batch", { key: user.key, body: batch });
  await env.DB.prepare("UPDATE jobs SET status = 'failed', failed = seq WHERE user_id = ?1")
    .bind(user.id)
    .run();
  expect(await purge(env)).toEqual({ jobs: 450, keys: 0, scalingEvents: 0 });
  expect(await purge(env)).toEqual({ jobs: 0, keys: 0, scalingEvents: 0 });
});

test("a step takes no more than its rows, and one job at least", () => {
  const job = (id: string, related: number) => ({ id, related });
  expect(stepOf([job("a", 3_000), job("b", 2_000), job("c", 1)])).toEqual(["a", "b"]);
  expect(stepOf([job("a", 90_000), job("b", 0)])).toEqual(["a"]);
  expect(stepOf([job("a", 0), job("b", 0)])).toEqual(["a", "b"]);
});

describe("RETENTION_DAYS", () => {
  const retention = (days: string) => configOf({ ...env, RETENTION_DAYS: days }).retentionMs;

  test("30 days unless said", () => {
    expect(configOf({ ...env }).retentionMs).toBe(30 * dayMs);
    expect(retention("")).toBe(30 * dayMs);
    expect(retention("1")).toBe(dayMs);
    expect(retention("never")).toBeNull();
  });

  test.each(["0", "-1", "1.5", "36501", "soon", "1e3"])("%s is told to the operator", (days) => {
    expect(() => retention(days)).toThrow(/whole number of days.*RETENTION_DAYS/s);
  });

  test("never: nothing goes; shorter: sooner", async () => {
    const id = await completedJob();
    await age(id, 4_000);
    expect(await purge({ ...env, RETENTION_DAYS: "never" })).toMatchObject({ jobs: 0 });
    await age(id, 2);
    expect(await purge({ ...env, RETENTION_DAYS: "3" })).toMatchObject({ jobs: 0 });
    expect(await purge({ ...env, RETENTION_DAYS: "1" })).toMatchObject({ jobs: 1 });
  });
});
