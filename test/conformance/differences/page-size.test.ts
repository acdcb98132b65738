import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

promise("8", "page_size is 1 to 1,000; _count is the length of the page", () => {
  it.each([1, 2, 1000])("%i", async (size) => {
    const queue = openQueue();
    for (let n = 0; n < 3; n++) await queue.submit();
    const list = `/jobs?container_group_id=${queue.group}&page_size=${size}`;
    const { status, body } = await call<{ _count: number; jobs: unknown[] }>("GET", list, { key: queue.key });
    expect([status, body._count, body.jobs.length]).toEqual([200, Math.min(size, 3), Math.min(size, 3)]);
  });
  it.each([0, 1001, -1, 1.5])("%d is a 400", async (size) => {
    expectError(await call("GET", `/jobs?page_size=${size}`, { key: openQueue().key }), 400);
  });
});
