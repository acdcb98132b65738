import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

promise("3", "First in, first out", () => {
  it("jobs are handed out in the order in which they came", async () => {
    const queue = openQueue();
    const submitted: string[] = [];
    for (let n = 0; n < 8; n++) submitted.push((await queue.submit()).id);
    const handed = [];
    for (let n = 0; n < 8; n++) handed.push((await queue.claim(`m${n}`))?.id);
    expect(handed).toEqual(submitted);
  });
});
