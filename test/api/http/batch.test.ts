import { beforeAll, describe, expect, test } from "vitest";
import type { Job, JobList } from "../../../src/contract/index.ts";
import { getJob, send, signUp, submission } from "./client.ts";

let key: string;
beforeAll(async () => {
  ({ key } = await signUp("batcher"));
});

const batchOf = (count: number, fields: (index: number) => Record<string, unknown>) =>
  Array.from({ length: count }, (_, index) => submission(fields(index)));

async function countOf(group: string): Promise<number> {
  const { body } = await send<JobList>("GET", `/jobs?container_group_id=${group}&page_size=1000`, { key });
  return body._count;
}

describe("a batch", () => {
  test("of 1,000 is answered and queued in the order of the request (fault 16)", async () => {
    const body = batchOf(1000, (index) => ({ container_group_id: "thousand", arguments: [String(index)] }));
    const { status, body: jobs } = await send<Job[]>("POST", "/jobs/batch", { key, body });
    expect(status).toBe(202);
    expect(jobs.map((job) => job.arguments[0])).toEqual(body.map((job) => String(body.indexOf(job))));
    expect(new Set(jobs.map((job) => job.id)).size).toBe(1000);

    const listed = await send<JobList>("GET", "/jobs?container_group_id=thousand&page_size=1000&asc=true", {
      key,
    });
    expect(listed.body.jobs).toEqual(jobs);
  });

  test("of several megabytes goes in whole", async () => {
    const filler = "x".repeat(60_000);
    const body = batchOf(60, (index) => ({
      container_group_id: "large",
      command: `run ${index}`,
      environment: { FILLER: filler },
    }));
    const { status, body: jobs } = await send<Job[]>("POST", "/jobs/batch", { key, body });
    expect(status).toBe(202);
    expect(jobs.map((job) => job.command)).toEqual(body.map((job) => job.command));
    expect(await countOf("large")).toBe(60);
    const last = jobs.at(-1);
    expect(last && (await getJob(key, last.id))).toEqual(last);
  });

  test("mixes sync and legacy storage, and groups", async () => {
    const fields = ["input", "checkpoint", "output"].flatMap((directory) => [
      `${directory}_bucket`,
      `${directory}_prefix`,
    ]);
    const legacy = Object.fromEntries(fields.map((field) => [field, "x/"]));
    const body = [
      submission({ container_group_id: "one" }),
      submission({ container_group_id: "two", sync: undefined, ...legacy }),
    ];
    const { body: jobs } = await send<Job[]>("POST", "/jobs/batch", { key, body });
    expect(jobs[0]).toHaveProperty("sync", {});
    expect(jobs[1]).not.toHaveProperty("sync");
    expect(jobs[1]).toMatchObject(legacy);
    for (const job of jobs) expect(await getJob(key, job.id)).toEqual(job);
  });
});

describe("one bad job spoils the batch: nothing is inserted", () => {
  test("400 with its index and field", async () => {
    const body = batchOf(1000, (index) => ({
      container_group_id: "spoiled",
      ...(index === 999 ? { max_failures: "x" } : {}),
    }));
    const { status, body: error } = await send("POST", "/jobs/batch", { key, body });
    expect(status).toBe(400);
    expect(error).toMatchObject({ error: "invalid_request", index: 999, field: "max_failures" });
    expect(await countOf("spoiled")).toBe(0);
  });

  test("413 with its index", async () => {
    const environment = { A: "x".repeat(99_000), B: "x".repeat(99_000), C: "x".repeat(99_000) };
    const body = batchOf(3, (index) => ({
      container_group_id: "fat",
      ...(index === 1 ? { environment } : {}),
    }));
    const { status, body: error } = await send("POST", "/jobs/batch", { key, body });
    expect(status).toBe(413);
    expect(error).toMatchObject({ error: "payload_too_large", index: 1 });
    expect(await countOf("fat")).toBe(0);
  });

  test("a million things wrong are told as one", async () => {
    const wrong = Array.from({ length: 1000 }, () => 1);
    const body = batchOf(1000, () => ({ container_group_id: "wrong", arguments: wrong }));
    const { status, body: error } = await send("POST", "/jobs/batch", { key, body });
    expect(status).toBe(400);
    expect(error).toMatchObject({ index: 0, field: "arguments[0]" });
  });

  test.each<[string, unknown]>([
    ["no job", []],
    ["1,001 jobs", batchOf(1001, () => ({}))],
    ["an object", submission()],
  ])("%s is a 400", async (_name, body) => {
    const { status, body: error } = await send("POST", "/jobs/batch", { key, body });
    expect(status).toBe(400);
    expect(error.index).toBeUndefined();
  });
});
