import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue, type Queue } from "../support/queue.ts";
import type { Job } from "../support/wire.ts";

const jobs = (queue: Queue, count: number) =>
  Array.from({ length: count }, (_, index) => ({
    command: `step-${index}`,
    container_group_id: queue.group,
    sync: {},
  }));
const submit = (queue: Queue, body: unknown) => call<Job[]>("POST", "/jobs/batch", { key: queue.key, body });
const countOf = async (queue: Queue) =>
  (
    await call<{ _count: number }>("GET", `/jobs?container_group_id=${queue.group}&page_size=1000`, {
      key: queue.key,
    })
  ).body._count;

promise("2", "POST /jobs/batch: 1 to 1,000 jobs, all or none, answered in request order", () => {
  it("1,000 jobs come back in the order in which they were sent, and are handed out so", async () => {
    const queue = openQueue();
    const answer = await submit(queue, jobs(queue, 1000));
    expect(answer.status, answer.text.slice(0, 300)).toBe(202);
    expect(answer.body.map((job) => job.command)).toEqual(jobs(queue, 1000).map((job) => job.command));
    expect(new Set(answer.body.map((job) => job.id)).size).toBe(1000);
    expect(await countOf(queue)).toBe(1000);
    for (const place of [0, 1, 2]) {
      expect((await queue.claim("m1"))?.id).toBe(answer.body[place]?.id);
    }
  });

  it("one job is a batch", async () => {
    const queue = openQueue();
    expect((await submit(queue, jobs(queue, 1))).body).toHaveLength(1);
  });

  it("none, and 1,001, are a 400", async () => {
    const queue = openQueue();
    expectError(await submit(queue, []), 400);
    expectError(await submit(queue, jobs(queue, 1001)), 400);
    expect(await countOf(queue)).toBe(0);
  });

  it.each([0, 2, 4])("one bad job at %i: a 400 that names it, and nothing is inserted", async (index) => {
    const queue = openQueue();
    const batch: unknown[] = jobs(queue, 5);
    batch[index] = { container_group_id: queue.group, sync: {} };
    const answer = await submit(queue, batch);
    expectError(answer, 400);
    expect(answer.body).toMatchObject({ index });
    expect(await countOf(queue)).toBe(0);
  });
});
