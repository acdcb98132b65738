import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

promise("3", "A job is submitted with command and group; everything else has a default", () => {
  it("the defaults", async () => {
    const queue = openQueue();
    expect(await queue.submit()).toMatchObject({
      ...{ command: "true", container_group_id: queue.group, arguments: [], environment: {} },
      ...{ max_failures: 3, heartbeat_interval: 30, compression: false },
    });
  });

  it("what is given comes back, here, in GET and with the claim", async () => {
    const queue = openQueue();
    const given = {
      ...{ command: "python", arguments: ["a b", "", "ü"], environment: { A: "1", B: "" } },
      ...{ max_failures: 7, heartbeat_interval: 45, compression: true },
      webhook: "https://hooks.example.com/kelpie?run=7",
    };
    const job = await queue.submit(given);
    expect(job).toMatchObject(given);
    expect(await queue.job(job.id)).toMatchObject(given);
    expect(await queue.claim("m1")).toMatchObject(given);
  });

  it.each([
    ["command", undefined],
    ["command", ""],
    ["command", 1],
    ["container_group_id", undefined],
    ["arguments", "a b"],
    ["arguments", [1]],
    ["environment", { A: 1 }],
    ["environment", []],
    ["max_failures", 0],
    ["max_failures", 1.5],
    ["heartbeat_interval", 0],
    ["heartbeat_interval", "30"],
    ["compression", "yes"],
  ])("%s as %j is a 400", async (field, value) => {
    const queue = openQueue();
    const body = { command: "true", container_group_id: queue.group, sync: {}, [field]: value };
    expectError(await call("POST", "/jobs", { key: queue.key, body }), 400);
  });
});
