import type { SocketQuery } from "../contract/index.ts";
import type { AgentsApi, GroupApi, GroupKey } from "./protocol.ts";

/**
 * The object of one (user, container group). The name is JSON, so that no user's and group's names can run together
 * into another pair's.
 */
export function groupAt(groups: Env["GROUPS"], key: GroupKey): GroupApi & AgentsApi {
  const stub: unknown = stubAt(groups, key);
  return stub as GroupApi & AgentsApi;
}

/** An agent's socket to its group: status 101, or another when the group takes none. No credential is passed on. */
export function openSocketAt(groups: Env["GROUPS"], key: GroupKey, agent: SocketQuery): Promise<Response> {
  const given = Object.entries(agent).filter(([, value]) => value !== undefined);
  // Only the query means anything; a URL needs a host.
  const url = `https://group.internal/?${new URLSearchParams(given)}`;
  return stubAt(groups, key).fetch(url, { headers: { Upgrade: "websocket" } });
}

function stubAt(groups: Env["GROUPS"], key: GroupKey) {
  return groups.getByName(JSON.stringify([key.userId, key.containerGroupId]));
}
