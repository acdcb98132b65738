import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { expectError } from "../support/call.ts";
import { needReceiver, promise } from "../support/promise.ts";
import { openQueue, type Queue } from "../support/queue.ts";
import { openReceiver } from "../support/receiver.ts";

const ends = {
  completed: (queue: Queue, id: string) => queue.completed(id, "m1"),
  failed: (queue: Queue, id: string) => queue.failed(id, "m1"),
  canceled: (queue: Queue, id: string) => queue.cancel(id),
};
const names = ["completed", "failed", "canceled"] as const;
const pairs = names.flatMap((first) =>
  names.filter((name) => name !== first).map((then) => [first, then] as const),
);

promise("7.3", "Ended is ended", () => {
  it.each(pairs)("%s, then %s: a 409, and nothing changes", async (first, then) => {
    const queue = openQueue();
    const { id } = await queue.submit({ max_failures: 1 });
    await queue.claim("m1");
    await ends[first](queue, id);
    const ended = await queue.job(id);
    expect(ended.status).toBe(first);
    expectError(await ends[then](queue, id), 409);
    expect(await queue.job(id)).toEqual(ended);
  });

  it("a repeated `completed` rewrites no time", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    await queue.claim("m1");
    await queue.completed(id, "m1");
    const ended = await queue.job(id);
    expect((await queue.completed(id, "m1")).status).toBe(200);
    expect(await queue.job(id)).toEqual(ended);
  });

  it("a repeated `completed` fires no second webhook", async (context) => {
    needReceiver(context);
    await using receiver = await openReceiver();
    const queue = openQueue();
    const { id } = await queue.submit({ webhook: receiver.url });
    await queue.claim("m1");
    await queue.completed(id, "m1");
    await receiver.received("completed");
    for (let n = 0; n < 3; n++) await queue.completed(id, "m1");
    // A second one would come with the same haste as the next job's.
    const next = await queue.submit({ webhook: receiver.url });
    await queue.claim("m1");
    await queue.completed(next.id, "m1");
    await receiver.received("completed");
    await sleep(1000);
    const told = receiver.deliveries.filter(({ body }) => body.job_id === id && body.status === "completed");
    expect(new Set(told.map(({ headers, body }) => headers["webhook-id"] ?? body.status)).size).toBe(1);
  });
});
