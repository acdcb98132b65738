import { expect, it } from "vitest";
import { expectError } from "../support/call.ts";
import { needSalad, promise } from "../support/promise.ts";
import { openRules } from "../support/rules.ts";

promise("3", "A scaling rule has 0 to 500 replicas and 0 to 3,600 idle seconds", () => {
  it("the bounds themselves are accepted", async (context) => {
    const rules = await openRules(needSalad(context));
    const bounds = { min_replicas: 500, max_replicas: 500, idle_threshold_seconds: 3600 };
    expect((await rules.create(bounds)).body).toMatchObject(bounds);
    const least = { min_replicas: 0, max_replicas: 0, idle_threshold_seconds: 0 };
    expect((await rules.patch(least)).body).toMatchObject(least);
    await rules.remove();
  });

  it("what is beyond is a 400, and no rule is made", async (context) => {
    const rules = await openRules(needSalad(context));
    for (const beyond of [
      ...[{ min_replicas: -1 }, { max_replicas: 501 }, { max_replicas: -1 }, { min_replicas: 0.5 }],
      ...[{ idle_threshold_seconds: -1 }, { idle_threshold_seconds: 3601 }, { min_replicas: "1" }],
    ]) {
      expectError(await rules.create(beyond), 400);
    }
    expectError(await rules.get(), 404);
  });
});
