import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

const rule = (direction: string) => ({ bucket: "b", prefix: "p/", local_path: "dir", direction });
const submit = (sync: unknown) => {
  const { key, group } = openQueue();
  return call("POST", "/jobs", { key, body: { command: "true", container_group_id: group, sync } });
};

promise("3", "`before` downloads, `during` and `after` upload; the other way round is a 400", () => {
  it.each([
    ["before", "download", "upload"],
    ["during", "upload", "download"],
    ["after", "upload", "download"],
  ])("%s is %s", async (when, right, wrong) => {
    expect((await submit({ [when]: [rule(right)] })).status).toBe(202);
    expectError(await submit({ [when]: [rule(wrong)] }), 400);
    expectError(await submit({ [when]: [rule("sideways")] }), 400);
    expectError(await submit({ [when]: rule(right) }), 400);
  });

  it("prefix and local path must be there", async () => {
    for (const field of ["prefix", "local_path", "direction"]) {
      expectError(await submit({ before: [{ ...rule("download"), [field]: undefined }] }), 400);
    }
  });
});
