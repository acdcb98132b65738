import { expect, it } from "vitest";
import { expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

promise("8", "A report of a job that was claimed before must come from its holder", () => {
  it.each(["completed", "failed"] as const)("%s by another machine is a 409", async (report) => {
    const queue = openQueue();
    const { id } = await queue.submit();
    await queue.claim("holder");
    expectError(await queue[report](id, "other"), 409);
    expect(await queue.job(id)).toMatchObject({ status: "running", machine_id: "holder", num_failures: 0 });
  });

  it("also after the job was given back to the queue", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    await queue.claim("m1");
    await queue.failed(id, "m1");
    expectError(await queue.completed(id, "m2"), 409);
    expectError(await queue.completed(id, "m1"), 409);
    expect(await queue.job(id)).toMatchObject({ status: "pending" });
  });
});
