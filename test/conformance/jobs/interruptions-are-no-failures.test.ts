import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { interrupted, openQueue, shortInterval } from "../support/queue.ts";

promise("3", "Interruptions never count as failures", () => {
  it("a job with one failure to lose survives two silent workers", async () => {
    const queue = openQueue();
    const { id } = await queue.submit({ heartbeat_interval: shortInterval, max_failures: 1 });
    for (const machine of ["m1", "m2"]) {
      expect((await queue.claim(machine))?.id).toBe(id);
      await interrupted(queue, id);
    }
    expect(await queue.job(id)).toMatchObject({ num_failures: 0, failed: null });
    expect((await queue.claim("m3"))?.id).toBe(id);
    await queue.failed(id, "m3");
    expect(await queue.job(id)).toMatchObject({ status: "failed", num_failures: 1 });
  });
});
