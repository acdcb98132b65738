import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import type { Job } from "../support/wire.ts";

promise("2", "POST /jobs: 202 and the job", () => {
  it("answers the job, pending; GET tells the same", async () => {
    const queue = openQueue();
    const body = { command: "python", arguments: ["train.py"], container_group_id: queue.group, sync: {} };
    const answer = await call<Job>("POST", "/jobs", { key: queue.key, body });
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ ...body, status: "pending" });
    expect(await queue.job(answer.body.id)).toEqual(answer.body);
  });
});
