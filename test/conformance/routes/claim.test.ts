import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { settings } from "../support/settings.ts";
import { isoTime } from "../support/wire.ts";

promise("2", "GET /work: [] or [job]; the job comes back running", () => {
  it("no work is an empty list", async () => {
    expect(await openQueue().claim("m1")).toBeUndefined();
  });

  it("a job is handed out once, running, with its machine", async () => {
    const queue = openQueue();
    const job = await queue.submit({ command: "python", arguments: ["a", "b"], environment: { A: "1" } });
    const claimed = await queue.claim("m1");
    expect(claimed).toMatchObject({
      ...{ id: job.id, command: "python", arguments: ["a", "b"], environment: { A: "1" }, sync: {} },
      ...{ status: "running", machine_id: "m1", started: expect.stringMatching(isoTime) },
    });
    expect(await queue.job(job.id)).toMatchObject({
      status: "running",
      machine_id: "m1",
      started: claimed?.started,
    });
    expect(await queue.claim("m2")).toBeUndefined();
  });

  it("without machine or group it is a 400", async () => {
    const { key } = settings.alice;
    expectError(await call("GET", "/work", { key }), 400);
    expectError(await call("GET", "/work?machine_id=m1", { key }), 400);
    expectError(await call("GET", "/work?container_group_id=g", { key }), 400);
  });
});
