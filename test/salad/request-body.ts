import type { Context } from "hono";
import { type ZodType, z } from "zod";
import type { SaladEnv } from "./node-env.ts";

/** The JSON body as the schema has it, or what is wrong with it in words. */
export async function bodyOf<S extends ZodType>(
  c: Context<SaladEnv>,
  schema: S,
): Promise<{ ok: true; value: z.infer<S> } | { ok: false; problem: string }> {
  const json: unknown = await c.req.json().catch(() => undefined);
  const checked = schema.safeParse(json);
  return checked.success
    ? { ok: true, value: checked.data }
    : { ok: false, problem: z.prettifyError(checked.error) };
}
