import type { Context } from "hono";
import { z } from "zod";
import type { RuleOwnerQuery } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { type OwnerRecord, readOwners } from "../../db/scaling/rules.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";

/** `:id` of a rule. */
export const RuleParams = z.object({ id: z.string().describe("Id of the container group") });

export const noSuchRule = () => new ApiError("not_found", { what: "scaling rule" });

/** Whose rule for that group is meant: the caller's own; of the admin anybody's, where it is clear whose. */
export async function ownerOf(
  c: Context<AppEnv>,
  containerGroupId: string,
  query: RuleOwnerQuery,
): Promise<string> {
  const { role, userId } = c.var.principal;
  if (role !== "admin") return userId;
  if (query.user_id !== undefined) return query.user_id;
  const { results } = await prepare(c.env.DB, readOwners(containerGroupId)).all<OwnerRecord>();
  const [owner, another] = results;
  if (!owner) throw noSuchRule();
  if (another) {
    const problem = "is missing: several users have a rule for this group";
    throw new ApiError("invalid_request", { problem, field: "user_id" });
  }
  return owner.user_id;
}
