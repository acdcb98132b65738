import { heldElsewhere } from "../support/promise.ts";

heldElsewhere("8", "A machine's ban from a job it failed expires after 24 hours", "takes a day", [
  "test/engine/settle.test.ts",
]);
