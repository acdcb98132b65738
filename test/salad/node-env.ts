import type { HttpBindings } from "@hono/node-server";

/** What Hono's context carries on Node. */
export interface SaladEnv {
  Bindings: HttpBindings;
}
