import { heldElsewhere } from "../support/promise.ts";

heldElsewhere(
  "7.5",
  "No job is completed with outputs missing, none starts without its checkpoint",
  "the agent's promise",
  ["worker-agent/test/agent-storage.test.ts", "worker-agent/test/transfer/faults.test.ts"],
);
