import { z } from "zod";
import { limits } from "./limits.ts";
import { Id, text, wholeNumber } from "./text.ts";

const Replicas = z.int().min(0).max(limits.replicas);
const IdleThresholdSeconds = z.int().min(0).max(limits.idleThresholdSeconds);
const Name = text(limits.nameChars).min(1);

const bounds = {
  min_replicas: Replicas.describe(
    "Instances that the group has at least; 0: it is stopped when there is nothing to do",
  ),
  max_replicas: Replicas.describe("Instances that the group has at most"),
  idle_threshold_seconds: IdleThresholdSeconds.describe(
    "Seconds for which a job that has ended still counts",
  ),
};

/** How a container group grows and shrinks with its queue. One rule for each group of a user. */
export const NewScalingRule = z
  .object({
    container_group_id: Id.describe("Id of a container group of the credential's organization and project"),
    ...bounds,
    org_name: Name.optional().describe(
      "Of the admin, who has none: the group's organization on SaladCloud; else ignored",
    ),
    project_name: Name.optional().describe("Of the admin, who has none: the group's project; else ignored"),
  })
  .refine((rule) => rule.min_replicas <= rule.max_replicas, {
    path: ["min_replicas"],
    error: "must not be greater than max_replicas",
  });
export type NewScalingRule = z.infer<typeof NewScalingRule>;

/** What is left out stays as it is. */
export const ScalingRulePatch = z
  .object(bounds)
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, {
    error: "give at least one of min_replicas, max_replicas, idle_threshold_seconds",
  });
export type ScalingRulePatch = z.infer<typeof ScalingRulePatch>;

export const ScalingRule = z.object({
  container_group_id: z.string().describe("Id of the container group, and of the rule"),
  ...bounds,
  org_name: z.string().describe("Organization of SaladCloud that the group is of"),
  project_name: z.string().describe("Project that the group is of"),
  container_group_name: z.string().describe("Name of the group, as Salad told it when the rule was made"),
  user_id: z.string().describe("Whose jobs of this queue count"),
  created: z.iso.datetime().describe("ISO 8601, UTC, milliseconds"),
  updated: z.iso.datetime().describe("ISO 8601, UTC, milliseconds; `created` until the first change"),
});
export type ScalingRule = z.infer<typeof ScalingRule>;

export const ScalingRuleQuery = z.object({
  page_size: wholeNumber(1, limits.pageSize).default(limits.pageSize).describe("Rules of one page, at most"),
  page: wholeNumber(1, limits.page).default(1).describe("The page's number"),
});
export type ScalingRuleQuery = z.infer<typeof ScalingRuleQuery>;

export const ScalingRuleList = z.object({
  _count: z.int().describe("Length of this page"),
  rules: z.array(ScalingRule).describe("The page, by container_group_id; the admin's by user_id first"),
});
export type ScalingRuleList = z.infer<typeof ScalingRuleList>;

/** Which of several users' rules for one group the admin means. */
export const RuleOwnerQuery = z.object({
  user_id: Id.optional().describe(
    "Of the admin, where several users have a rule for this group: whose; else ignored",
  ),
});
export type RuleOwnerQuery = z.infer<typeof RuleOwnerQuery>;
