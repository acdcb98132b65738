import { z } from "zod";
import { limits } from "./limits.ts";

/** Names one submission, chosen by the client: its repeats answer what the first one made, for 24 hours. */
export const IdempotencyKey = z
  .string()
  .min(1)
  .max(limits.idempotencyKeyChars)
  .regex(/^[\x21-\x7e]*$/, { error: "must be visible ASCII without spaces" })
  .describe("Chosen anew for each submission, and sent again with each retry of it; known for 24 hours");

export const IdempotencyHeaders = z.object({ "idempotency-key": IdempotencyKey.optional() });
