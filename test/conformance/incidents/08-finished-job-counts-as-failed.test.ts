import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

// The other half is the agent's: it never turns a completion that it could not report into a failure (worker-agent/test/agent-lease.test.ts).
promise("7.8", "A completion whose answer was lost stays one", () => {
  it("its repeat is a 200, and the machine is not banned", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    await queue.claim("m1");
    await queue.completed(id, "m1");
    for (let n = 0; n < 3; n++) expect((await queue.completed(id, "m1")).status).toBe(200);
    expect((await queue.failed(id, "m1")).status).toBe(409);
    expect(await queue.job(id)).toMatchObject({ status: "completed", num_failures: 0 });
    const next = await queue.submit();
    expect((await queue.claim("m1"))?.id).toBe(next.id);
  });

  it("a failure's repeat counts once", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    await queue.claim("m1");
    for (let n = 0; n < 3; n++) expect((await queue.failed(id, "m1")).status).toBe(202);
    expect(await queue.job(id)).toMatchObject({ status: "pending", num_failures: 1 });
  });
});
