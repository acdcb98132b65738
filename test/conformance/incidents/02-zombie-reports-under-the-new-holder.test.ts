import { expect, it } from "vitest";
import { expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { interrupted, openQueue, shortInterval } from "../support/queue.ts";

promise("7.2", "A worker that lost its job can neither complete nor fail it under the new holder", () => {
  it.each(["completed", "failed"] as const)(
    "%s comes from the zombie: a 409, and the new holder goes on",
    async (report) => {
      const queue = openQueue();
      const { id } = await queue.submit({ heartbeat_interval: shortInterval });
      await queue.claim("zombie");
      await interrupted(queue, id);
      expect((await queue.claim("holder"))?.id).toBe(id);
      await queue.heartbeat(id, "holder");
      expectError(await queue[report](id, "zombie"), 409);
      expect(await queue.job(id)).toMatchObject({ status: "running", machine_id: "holder", num_failures: 0 });
      expect((await queue.completed(id, "holder")).status).toBe(200);
    },
  );

  it("after the lease has ended and before anybody else has it: a 409 too", async () => {
    const queue = openQueue();
    const { id } = await queue.submit({ heartbeat_interval: shortInterval });
    await queue.claim("zombie");
    await interrupted(queue, id);
    expectError(await queue.completed(id, "zombie"), 409);
    expect(await queue.job(id)).toMatchObject({ status: "pending", completed: null });
  });

  it("two zombies and a holder: only the holder's word counts", async () => {
    const queue = openQueue();
    const { id } = await queue.submit({ heartbeat_interval: shortInterval });
    for (const zombie of ["z1", "z2"]) {
      expect((await queue.claim(zombie))?.id).toBe(id);
      await interrupted(queue, id);
    }
    expect((await queue.claim("holder"))?.id).toBe(id);
    await queue.heartbeat(id, "holder");
    const [z1, z2, holder] = await Promise.all([
      queue.completed(id, "z1"),
      queue.failed(id, "z2"),
      queue.completed(id, "holder"),
    ]);
    expect([z1.status, z2.status, holder.status]).toEqual([409, 409, 200]);
    expect(await queue.job(id)).toMatchObject({ status: "completed", machine_id: "holder", num_failures: 0 });
  });
});
