import type { Context } from "hono";
import type { SocketQuery } from "../contract/index.ts";
import { groupAt, openSocketAt } from "../group/address.ts";
import type { GroupApi, GroupKey } from "../group/protocol.ts";
import type { AppEnv } from "./app-env.ts";

/** The Durable Object of a queue. */
export function groupOf(c: Context<AppEnv>, key: GroupKey): GroupApi {
  return groupAt(c.env.GROUPS, key);
}

/** An agent's socket to a queue's object; null when the object takes no more. */
export async function socketOf(
  c: Context<AppEnv>,
  key: GroupKey,
  agent: SocketQuery,
): Promise<Response | null> {
  const response = await openSocketAt(c.env.GROUPS, key, agent);
  return response.status === 101 ? response : null;
}

/** The principal's own queue of that container group. */
export function ownKey(c: Context<AppEnv>, containerGroupId: string): GroupKey {
  return { userId: c.var.principal.userId, containerGroupId };
}
