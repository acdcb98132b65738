import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { isoTime } from "../support/wire.ts";

promise(
  "2",
  "POST /jobs/:id/failed: 202 {message}; one failure more, at max_failures the job is failed",
  () => {
    it("counts, and the job goes to another machine, until max_failures", async () => {
      const queue = openQueue();
      const { id } = await queue.submit({ max_failures: 2 });
      await queue.claim("m1");
      const answer = await queue.failed(id, "m1");
      expect([answer.status, typeof answer.body.message]).toEqual([202, "string"]);
      expect(await queue.job(id)).toMatchObject({ num_failures: 1, failed: null });

      expect((await queue.claim("m2"))?.id).toBe(id);
      await queue.failed(id, "m2");
      expect(await queue.job(id)).toMatchObject({
        ...{ status: "failed", num_failures: 2, machine_id: "m2" },
        ...{ failed: expect.stringMatching(isoTime), completed: null, canceled: null },
      });
      expect(await queue.claim("m3")).toBeUndefined();
    });

    it("three failures unless said otherwise", async () => {
      const queue = openQueue();
      const { id } = await queue.submit();
      for (const machine of ["m1", "m2", "m3"]) {
        expect((await queue.claim(machine))?.id).toBe(id);
        await queue.failed(id, machine);
      }
      expect(await queue.job(id)).toMatchObject({ status: "failed", num_failures: 3 });
    });

    it("an unknown job is a 404", async () => {
      expectError(await openQueue().failed(randomUUID(), "m1"), 404);
    });
  },
);
