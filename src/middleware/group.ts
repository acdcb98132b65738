import type { Context } from "hono";
import { groupAt } from "../group/address.ts";
import type { GroupApi, GroupKey } from "../group/protocol.ts";
import type { AppEnv } from "./app-env.ts";

/** The Durable Object of a queue. */
export function groupOf(c: Context<AppEnv>, key: GroupKey): GroupApi {
  return groupAt(c.env.GROUPS, key);
}

/** The principal's own queue of that container group. */
export function ownKey(c: Context<AppEnv>, containerGroupId: string): GroupKey {
  return { userId: c.var.principal.userId, containerGroupId };
}
