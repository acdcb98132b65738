import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

promise("2", "A report of a job that nobody has ever claimed is accepted", () => {
  it("completed", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    expect((await queue.completed(id, "m1")).status).toBe(200);
    expect(await queue.job(id)).toMatchObject({ status: "completed" });
    expect(await queue.claim("m1")).toBeUndefined();
  });
  it("failed", async () => {
    const queue = openQueue();
    const { id } = await queue.submit({ max_failures: 1 });
    expect((await queue.failed(id, "m1")).status).toBe(202);
    expect(await queue.job(id)).toMatchObject({ status: "failed", num_failures: 1 });
  });
});
