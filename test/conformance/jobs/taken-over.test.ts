import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { interrupted, openQueue, shortInterval } from "../support/queue.ts";

promise("3", "A job whose heartbeat is older than 2 × heartbeat_interval goes to the next worker", () => {
  it("its worker fell silent: the next one takes over and completes it", async () => {
    const queue = openQueue();
    const { id } = await queue.submit({ heartbeat_interval: shortInterval });
    await queue.claim("silent");
    await queue.heartbeat(id, "silent");
    await interrupted(queue, id);
    expect(await queue.claim("next")).toMatchObject({ id, status: "running", machine_id: "next" });
    expect((await queue.completed(id, "next")).status).toBe(200);
  });

  it("a worker that beats keeps it, whoever polls meanwhile", async () => {
    const queue = openQueue();
    const { id } = await queue.submit({ heartbeat_interval: shortInterval });
    await queue.claim("lively");
    for (let beat = 0; beat < 5; beat++) {
      expect((await queue.heartbeat(id, "lively")).body).toMatchObject({ status: "running" });
      expect(await queue.claim("other")).toBeUndefined();
      await sleep(1000 * shortInterval);
    }
    expect(await queue.job(id)).toMatchObject({ status: "running", machine_id: "lively" });
  });
});
