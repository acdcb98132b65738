import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

/** Whoever waited for this would not be done within the test's time. */
const day = 86_400;

promise("7.10", "Nobody waits out a heartbeat interval for nothing", () => {
  it("a job may be completed at once, whatever its interval", async () => {
    const queue = openQueue();
    const { id } = await queue.submit({ heartbeat_interval: day });
    await queue.claim("m1");
    expect((await queue.completed(id, "m1")).status).toBe(200);
  });

  it("a failed job is there for another machine at once", async () => {
    const queue = openQueue();
    const { id } = await queue.submit({ heartbeat_interval: day });
    await queue.claim("m1");
    await queue.failed(id, "m1");
    expect(await queue.job(id)).toMatchObject({ status: "pending" });
    expect((await queue.claim("m2"))?.id).toBe(id);
  });

  it("a canceled job is canceled at once, and its machine takes the next", async () => {
    const queue = openQueue();
    const { id } = await queue.submit({ heartbeat_interval: day });
    const next = await queue.submit();
    await queue.claim("m1");
    await queue.cancel(id);
    expect(await queue.job(id)).toMatchObject({ status: "canceled" });
    expect((await queue.claim("m1"))?.id).toBe(next.id);
  });
});
