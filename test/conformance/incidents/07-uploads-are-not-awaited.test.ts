import { heldElsewhere } from "../support/promise.ts";

heldElsewhere(
  "7.7",
  "Uploads of during are awaited before completion is reported and directories are emptied",
  "the agent's promise",
  ["worker-agent/test/agent-storage.test.ts", "worker-agent/test/ending.test.ts"],
);
