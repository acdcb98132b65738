import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

promise("3", "A prefix that lacks its final / gets one", () => {
  it("in each list, and one that has it keeps it", async () => {
    const queue = openQueue();
    const rule = (prefix: string, direction: string) => ({ bucket: "b", prefix, local_path: "d", direction });
    const sync = (prefix: string) => ({
      before: [rule(prefix, "download")],
      during: [rule(prefix, "upload")],
      after: [rule(prefix, "upload")],
    });
    await queue.submit({ sync: sync("run/7") });
    await queue.submit({ sync: sync("run/7/") });
    for (const machine of ["m1", "m2"]) {
      expect((await queue.claim(machine))?.sync).toMatchObject(sync("run/7/"));
    }
  });

  it("of the older fields too", async () => {
    const queue = openQueue();
    await queue.submit({
      sync: undefined,
      ...{ input_bucket: "i", input_prefix: "in", checkpoint_bucket: "c", checkpoint_prefix: "check/" },
      ...{ output_bucket: "o", output_prefix: "out" },
    });
    expect(await queue.claim("m1")).toMatchObject({
      input_prefix: "in/",
      checkpoint_prefix: "check/",
      output_prefix: "out/",
    });
  });
});
