/** Bindings and variables of the Worker. Variables are validated once per isolate; nothing else reads them raw. */
import { z } from "zod";

/** What `wrangler.toml`, secrets and `--var` put beside the generated bindings. */
export interface Vars {
  KELPIE_ADMIN_KEY?: string;
}
export type Bindings = Env & Vars;

/** An empty variable counts as absent: `--var NAME:` is how one takes a default away. */
const absentWhenEmpty = (value: unknown) => (value === "" ? undefined : value);

const ValidVars = z.object({
  /** Eight characters are no security, but they catch a truncated or mistyped secret. */
  KELPIE_ADMIN_KEY: z.preprocess(absentWhenEmpty, z.string().min(8).optional()),
});

export interface Config {
  /** The admin's `X-Kelpie-Key`; without one there is no admin. */
  adminKey: string | null;
}

const configs = new WeakMap<Bindings, Config>();

/** The validated configuration. Throws, naming the variable and never its value, when one is malformed. */
export function configOf(env: Bindings): Config {
  const known = configs.get(env);
  if (known) return known;
  const vars = ValidVars.safeParse(env);
  if (!vars.success) throw new Error(`Configuration: ${z.prettifyError(vars.error)}`);
  const config: Config = { adminKey: vars.data.KELPIE_ADMIN_KEY ?? null };
  configs.set(env, config);
  return config;
}
