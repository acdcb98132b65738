import type { Context } from "hono";
import { z } from "zod";
import { GroupId, GroupPause } from "../../contract/index.ts";
import type { GroupKey } from "../../group/protocol.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";

/** `:id` of a container group; what no id can be is found out by `whichGroup`. */
export const GroupParams = z.object({ id: GroupPause.shape.container_group_id });

/** Whose groups: one's own, or those of the user that the admin names. 403 for anybody else who names one. */
export function whoseGroups(c: Context<AppEnv>, userId: string | undefined): string {
  const { principal } = c.var;
  if (userId === undefined || userId === principal.userId) return principal.userId;
  if (principal.role !== "admin") {
    throw new ApiError("forbidden", { problem: "only the admin may name another user" });
  }
  return userId;
}

/** The group of a request's path; 404 for an id that no group can have. */
export function whichGroup(c: Context<AppEnv>, id: string, userId: string | undefined): GroupKey {
  const checked = GroupId.safeParse(id);
  if (!checked.success) throw new ApiError("not_found", { what: "group" });
  return { userId: whoseGroups(c, userId), containerGroupId: checked.data };
}
