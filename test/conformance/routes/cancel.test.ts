import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { isoTime } from "../support/wire.ts";

promise("2", "DELETE /jobs/:id: 202 {message}, and the job is canceled", () => {
  it("a pending job: nobody gets it any more", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    const answer = await queue.cancel(id);
    expect([answer.status, typeof answer.body.message]).toEqual([202, "string"]);
    expect(await queue.job(id)).toMatchObject({
      status: "canceled",
      canceled: expect.stringMatching(isoTime),
      completed: null,
      failed: null,
    });
    expect(await queue.claim("m1")).toBeUndefined();
  });

  it("a running job: its worker is told with its next heartbeat", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    await queue.claim("m1");
    expect((await queue.cancel(id)).status).toBe(202);
    expect((await queue.heartbeat(id, "m1")).body).toMatchObject({ status: "canceled" });
    expect(await queue.claim("m2")).toBeUndefined();
  });
});
