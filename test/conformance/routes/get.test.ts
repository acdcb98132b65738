import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { settings } from "../support/settings.ts";

promise("2", "GET /jobs/:id: the job, or 404; another user's job is a 404", () => {
  it("one's own", async () => {
    const queue = openQueue();
    const job = await queue.submit();
    expect(await queue.job(job.id)).toEqual(job);
  });
  it("an unknown one is a 404", async () => {
    expectError(await call("GET", `/jobs/${randomUUID()}`, { key: settings.alice.key }), 404);
  });
  it("another user's is a 404", async () => {
    const { id } = await openQueue(settings.alice.key).submit();
    expectError(await call("GET", `/jobs/${id}`, { key: settings.bob.key }), 404);
  });
});
