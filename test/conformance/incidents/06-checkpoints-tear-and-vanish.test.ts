import { heldElsewhere } from "../support/promise.ts";

heldElsewhere("7.6", "Checkpoints neither tear nor vanish", "the agent's promise", [
  "worker-agent/test/transfer/mirror.test.ts",
  "worker-agent/test/transfer/mirror-whole.test.ts",
]);
