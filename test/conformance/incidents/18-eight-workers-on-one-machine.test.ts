import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

promise("7.18", "Eight workers of one machine id are eight: each gets a job of its own", () => {
  it("eight claims at once, eight jobs; each is completed alone", async () => {
    const queue = openQueue();
    const submitted: string[] = [];
    for (let n = 0; n < 8; n++) submitted.push((await queue.submit()).id);
    const claimed = await Promise.all(Array.from({ length: 8 }, () => queue.claim("shared")));
    expect(claimed.map((job) => job?.id).toSorted()).toEqual(submitted.toSorted());
    for (const id of submitted)
      expect((await queue.heartbeat(id, "shared")).body).toMatchObject({ status: "running" });
    const reports = await Promise.all(submitted.map((id) => queue.completed(id, "shared")));
    expect(new Set(reports.map(({ status }) => status))).toEqual(new Set([200]));
  });
});
