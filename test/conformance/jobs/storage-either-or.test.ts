import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { legacyStorage } from "../support/legacy.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

const submit = (fields: object) => {
  const { key, group } = openQueue();
  return call("POST", "/jobs", { key, body: { command: "true", container_group_id: group, ...fields } });
};

promise("3", "Storage: either `sync` or all six of the older fields; both or neither is a 400", () => {
  it("either", async () => {
    expect((await submit({ sync: {} })).status).toBe(202);
    expect((await submit(legacyStorage)).status).toBe(202);
  });
  it("neither", async () => {
    expectError(await submit({}), 400);
  });
  it("both", async () => {
    expectError(await submit({ sync: {}, ...legacyStorage }), 400);
    expectError(await submit({ sync: {}, input_bucket: "in" }), 400);
  });
  it.each(Object.keys(legacyStorage))("five of six: without %s", async (field) => {
    expectError(await submit({ ...legacyStorage, [field]: undefined }), 400);
  });
});
