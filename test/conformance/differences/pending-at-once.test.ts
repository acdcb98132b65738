import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { interrupted, openQueue, shortInterval } from "../support/queue.ts";

interface Attempts {
  attempts: { number: number; machine_id: string; end: string | null }[];
}

promise(
  "8",
  "An interrupted job, or one with failures left, is pending at once; its attempts tell the story",
  () => {
    it("interrupted, failed, completed", async () => {
      const queue = openQueue();
      const { id } = await queue.submit({ heartbeat_interval: shortInterval });
      await queue.claim("m1");
      await interrupted(queue, id);
      expect(await queue.job(id)).toMatchObject({ num_interruptions: 1, num_failures: 0 });
      await queue.claim("m2");
      await queue.failed(id, "m2");
      expect(await queue.job(id)).toMatchObject({ status: "pending", num_interruptions: 1, num_failures: 1 });
      await queue.claim("m3");
      await queue.completed(id, "m3");
      const { body } = await call<Attempts>("GET", `/jobs/${id}/attempts`, { key: queue.key });
      expect(body.attempts.map(({ number, machine_id, end }) => [number, machine_id, end])).toEqual([
        [1, "m1", "interrupted"],
        [2, "m2", "failed"],
        [3, "m3", "completed"],
      ]);
    });
  },
);
