import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

promise("7.12", "A machine that failed one job gets those behind it", () => {
  it("however many it has failed", async () => {
    const queue = openQueue();
    const failed: string[] = [];
    for (let n = 0; n < 5; n++) failed.push((await queue.submit()).id);
    for (const id of failed) {
      expect((await queue.claim("clumsy"))?.id).toBe(id);
      await queue.failed(id, "clumsy");
    }
    const behind = await queue.submit();
    expect((await queue.claim("clumsy"))?.id).toBe(behind.id);
    expect((await queue.claim("other"))?.id).toBe(failed[0]);
  });
});
