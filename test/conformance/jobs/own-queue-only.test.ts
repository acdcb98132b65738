import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { settings } from "../support/settings.ts";

promise("3", "A job is handed only to its own user's and group's workers", () => {
  it("not to another group's", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    expect(await openQueue().claim("m1")).toBeUndefined();
    expect((await queue.claim("m1"))?.id).toBe(id);
  });
  it("not to another user's of the same group id", async () => {
    const queue = openQueue(settings.alice.key);
    const theirs = openQueue(settings.bob.key, queue.group);
    const { id } = await queue.submit();
    expect(await theirs.claim("m1")).toBeUndefined();
    expect((await queue.claim("m1"))?.id).toBe(id);
  });
});
