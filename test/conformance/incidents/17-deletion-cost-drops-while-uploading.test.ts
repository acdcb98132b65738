import { it } from "vitest";
import { promise } from "../support/promise.ts";

promise("7.17", "A node's deletion cost is highest while its last uploads run", () => {
  it("is told to the node's metadata service", ({ skip }) => {
    skip("the agent does not speak to IMDS yet");
  });
});
