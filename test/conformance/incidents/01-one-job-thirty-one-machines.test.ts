import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import type { Job } from "../support/wire.ts";

const machines = 32;
const jobs = 320;

promise("7.1", "32 machines drain a queue: each job is handed out once", () => {
  it(`${jobs} jobs, as many claims`, async () => {
    const queue = openQueue();
    const batch = Array.from({ length: jobs }, () => ({
      command: "true",
      container_group_id: queue.group,
      sync: {},
    }));
    const submitted = await call<Job[]>("POST", "/jobs/batch", { key: queue.key, body: batch });
    const claimed: string[] = [];
    await Promise.all(
      Array.from({ length: machines }, async (_, index) => {
        const machine = `m${index}`;
        for (let job = await queue.claim(machine); job; job = await queue.claim(machine)) {
          claimed.push(job.id);
          expect((await queue.completed(job.id, machine)).status).toBe(200);
        }
      }),
    );
    expect(claimed.toSorted()).toEqual(submitted.body.map(({ id }) => id).toSorted());
    const list = `/jobs?container_group_id=${queue.group}&status=completed&page_size=1000`;
    const done = await call<{ _count: number }>("GET", list, { key: queue.key });
    expect(done.body._count).toBe(jobs);
  });

  it("32 machines ask for one job at the same moment: one gets it", async () => {
    const queue = openQueue();
    for (let round = 0; round < 5; round++) {
      const { id } = await queue.submit();
      const answers = await Promise.all(Array.from({ length: machines }, (_, n) => queue.claim(`m${n}`)));
      expect(answers.filter((job) => job !== undefined).map((job) => job.id)).toEqual([id]);
    }
  });
});
