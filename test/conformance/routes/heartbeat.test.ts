import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { interrupted, openQueue, shortInterval } from "../support/queue.ts";
import { settings } from "../support/settings.ts";
import { isoTime } from "../support/wire.ts";

promise("2", "POST /jobs/:id/heartbeat: {status} or 404; `canceled` tells the worker to drop the job", () => {
  it("running, and counted", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    await queue.claim("m1");
    for (let n = 0; n < 3; n++) {
      const answer = await queue.heartbeat(id, "m1");
      expect([answer.status, answer.body.status]).toEqual([200, "running"]);
    }
    expect(await queue.job(id)).toMatchObject({
      num_heartbeats: 3,
      heartbeat: expect.stringMatching(isoTime),
    });
  });

  it("an unknown job is a 404", async () => {
    expectError(await openQueue().heartbeat(randomUUID(), "m1"), 404);
  });

  it("another user's job is a 404", async () => {
    const queue = openQueue(settings.alice.key);
    const { id } = await queue.submit();
    await queue.claim("m1");
    expectError(await openQueue(settings.bob.key, queue.group).heartbeat(id, "m1"), 404);
  });

  it("canceled when another machine holds the job now", async () => {
    const queue = openQueue();
    const { id } = await queue.submit({ heartbeat_interval: shortInterval });
    await queue.claim("m1");
    await interrupted(queue, id);
    expect((await queue.claim("m2"))?.id).toBe(id);
    expect((await queue.heartbeat(id, "m1")).body).toMatchObject({ status: "canceled" });
    expect((await queue.heartbeat(id, "m2")).body).toMatchObject({ status: "running" });
    expect((await queue.job(id)).machine_id).toBe("m2");
  });

  it("canceled after the job has ended", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    await queue.claim("m1");
    await queue.cancel(id);
    expect((await queue.heartbeat(id, "m1")).body).toMatchObject({ status: "canceled" });
  });

  it("without machine and group it is a 400", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    expectError(await call("POST", `/jobs/${id}/heartbeat`, { key: queue.key, body: {} }), 400);
  });
});
