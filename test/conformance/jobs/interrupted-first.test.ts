import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { interrupted, openQueue, shortInterval } from "../support/queue.ts";

promise("3", "An interrupted job goes before fresh ones", () => {
  it("although others came earlier and wait", async () => {
    const queue = openQueue();
    const first = (await queue.submit()).id;
    const second = (await queue.submit({ heartbeat_interval: shortInterval })).id;
    expect((await queue.claim("m1"))?.id).toBe(first);
    expect((await queue.claim("m2"))?.id).toBe(second);
    const third = (await queue.submit()).id;
    await interrupted(queue, second);
    expect((await queue.claim("m3"))?.id).toBe(second);
    expect((await queue.claim("m3"))?.id).toBe(third);
  });
});
