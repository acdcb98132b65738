import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

promise("3", "A job is not handed to a machine that failed it", () => {
  it("but at once to any other", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    // Somebody else polls, so that the job is not stuck with the banned machine alone.
    expect(await queue.claim("m2")).toMatchObject({ id });
    await queue.failed(id, "m2");
    await queue.claim("m1").then((job) => expect(job?.id).toBe(id));
    await queue.failed(id, "m1");
    expect(await queue.claim("m2")).toBeUndefined();
    expect((await queue.claim("m3"))?.id).toBe(id);
  });
});
