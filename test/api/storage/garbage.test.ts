/** What is purged or cleared leaves its prefixes to the storage sweep, in the keys' own form, and is seen no more at once. */
import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import { filesRoot, logsOfJob, outputsOfJob, snapshotsOfJob } from "../../../src/storage/keys.ts";
import { adminKey, newGroup, send, signUp, submit } from "../http/client.ts";
import { claimHeld, grant, holdJob, putFile, readAs, transfer, underLease } from "./client.ts";

const rule = { prefix: "out/", local_path: "/out", direction: "upload" };

async function garbage(): Promise<Map<string, number>> {
  const { results } = await env.DB.prepare("SELECT prefix, due FROM storage_garbage").all<{
    prefix: string;
    due: number;
  }>();
  return new Map(results.map(({ prefix, due }) => [prefix, due]));
}
const count = async (table: string) =>
  (await env.DB.prepare(`SELECT COUNT(*) AS n FROM ${table}`).first<{ n: number }>())?.n;

let users = 0;
let user: { id: string; key: string };
beforeEach(async () => {
  await env.DB.exec("DELETE FROM storage_garbage");
  user = await signUp(`garbage-${++users}`);
});

/** A job that has completed with a published output, and, sent back, waits again. */
async function completedAndSentBack(group: string): Promise<string> {
  const held = await holdJob(user.key, group);
  await transfer(await grant(held, { kind: "put", area: "outputs", key: "result", size: 1 }), "x");
  await underLease(held, "outputs", { files: [{ key: "result", size: 1 }] });
  await send("POST", `/jobs/${held.jobId}/completed`, { key: user.key, body: held.proof });
  expect(await readAs(user.key, "result")).toBe("x");
  expect((await send("POST", `/jobs/${held.jobId}/retry`, { key: user.key })).status).toBe(202);
  await env.DB.prepare(
    `INSERT INTO checkpoints (job_id, prefix, attempt, generation, manifest_sha256, manifest_bytes, committed, files,
       bytes_new, bytes_total, quiet, op) VALUES (?1, 'p/', 1, 1, 'x', 1, 1, 1, 1, 1, 1, 'op')`,
  )
    .bind(held.jobId)
    .run();
  return held.jobId;
}

test("a purged job's prefixes are due a quarter of an hour later; jobs without managed storage leave none", async () => {
  const group = newGroup();
  const id = await completedAndSentBack(group);
  await submit(user.key, { container_group_id: group });
  const before = Date.now();
  const purge = await send("DELETE", `/jobs/container-groups/${group}`, { key: user.key });
  expect(purge.body).toEqual({ count: 2 });
  const noted = await garbage();
  const places = [logsOfJob, outputsOfJob, snapshotsOfJob].map((placeOf) => placeOf(user.id, id));
  expect(new Set(noted.keys())).toEqual(new Set(places));
  for (const due of noted.values()) expect(due).toBeGreaterThanOrEqual(before + 900_000);
  expect(await readAs(user.key, "result")).toBeNull();
  expect([await count("outputs"), await count("checkpoints")]).toEqual([0, 0]);
});

test("clearing all jobs does the same for all of them", async () => {
  const id = await completedAndSentBack(newGroup());
  const other = await submit(user.key, { container_group_id: newGroup(), sync: { after: [rule] } });
  expect((await send("DELETE", "/jobs", { key: adminKey })).status).toBe(204);
  const noted = new Set((await garbage()).keys());
  for (const job of [id, other.id]) {
    expect(noted).toContain(outputsOfJob(user.id, job));
    expect(noted).toContain(snapshotsOfJob(user.id, job));
  }
  expect([await count("outputs"), await count("checkpoints"), await count("jobs")]).toEqual([0, 0, 0]);
});

test("removed users lose all their roots, the admin none", async () => {
  await completedAndSentBack(newGroup());
  await putFile(user.key, "a", "x");
  await putFile(adminKey, "a", "x");
  const { body: admin } = await send<{ id: string }>("GET", "/users/me", { key: adminKey });
  expect((await send("DELETE", "/users", { key: adminKey })).status).toBe(204);
  const noted = [...(await garbage()).keys()];
  for (const area of ["files", "logs", "outputs", "snapshots"])
    expect(noted).toContain(`${area}/${user.id}/`);
  expect(noted).toContain(filesRoot(user.id));
  expect(noted.some((prefix) => prefix.includes(admin.id))).toBe(false);
  expect(await count("outputs")).toBe(0);
});

test("attempts of jobs with managed storage wait for the sweep, others do not", async () => {
  const group = newGroup();
  await submit(user.key, { container_group_id: group, sync: { after: [rule] } });
  await submit(user.key, { container_group_id: group });
  for (const unswept of [1, 0]) {
    const { jobId } = await claimHeld(user.key, group);
    const row = await env.DB.prepare("SELECT unswept FROM attempts WHERE job_id = ?1").bind(jobId).first();
    expect(row).toEqual({ unswept });
  }
});
