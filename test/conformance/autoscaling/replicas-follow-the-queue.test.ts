import { it } from "vitest";
import { promise } from "../support/promise.ts";

promise("5", "Per rule, the replicas of a group follow its jobs, every 5 minutes", () => {
  it("is evaluated", ({ skip }) => {
    skip("the API keeps scaling rules and does not act on them yet");
  });
});
