import { heldElsewhere } from "../support/promise.ts";

heldElsewhere(
  "7.9",
  "SIGTERM saves and gives back; a command that ignores its cancel is ended",
  "the agent's promise",
  ["worker-agent/test/agent-shutdown.test.ts", "worker-agent/test/process.test.ts"],
);
