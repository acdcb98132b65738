import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { isoTime } from "../support/wire.ts";

promise("2", "POST /jobs/:id/completed: 200 {message}, and the job is completed", () => {
  it("ends the job", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    await queue.claim("m1");
    const answer = await queue.completed(id, "m1");
    expect([answer.status, typeof answer.body.message]).toEqual([200, "string"]);
    expect(await queue.job(id)).toMatchObject({
      ...{ status: "completed", machine_id: "m1", num_failures: 0 },
      ...{ completed: expect.stringMatching(isoTime), failed: null, canceled: null },
    });
    expect(await queue.claim("m2")).toBeUndefined();
  });

  it("an unknown job is a 404", async () => {
    expectError(await openQueue().completed(randomUUID(), "m1"), 404);
  });
});
