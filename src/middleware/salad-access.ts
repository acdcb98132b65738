import type { Context } from "hono";
import { configOf } from "../env.ts";
import type { SaladAccess } from "../salad/client.ts";
import type { AppEnv } from "./app-env.ts";

/**
 * With what Salad is asked on behalf of a request: the caller's own key where the request carries one, whichever credential it was
 * authenticated by; else the deployment's. `null`: there is neither.
 */
export function saladAccessOf(c: Context<AppEnv>): (SaladAccess & { isCallers: boolean }) | null {
  const { apiUrl, apiKey: deploymentKey } = configOf(c.env).salad;
  const callersKey = c.req.header("salad-api-key");
  if (callersKey) return { apiUrl, apiKey: callersKey, isCallers: true };
  return deploymentKey === null ? null : { apiUrl, apiKey: deploymentKey, isCallers: false };
}
