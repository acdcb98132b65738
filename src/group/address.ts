import type { GroupApi, GroupKey } from "./protocol.ts";

/**
 * The object of one (user, container group). The name is JSON, so that no user's and group's names can run together
 * into another pair's.
 */
export function groupAt(groups: Env["GROUPS"], key: GroupKey): GroupApi {
  const stub: unknown = groups.getByName(JSON.stringify([key.userId, key.containerGroupId]));
  return stub as GroupApi;
}
