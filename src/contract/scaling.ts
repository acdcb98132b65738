import { z } from "zod";
import { limits } from "./limits.ts";
import { Id, text, wholeNumber } from "./text.ts";
import { Time } from "./time.ts";

const Replicas = z.int().min(0).max(limits.replicas);
const IdleThresholdSeconds = z.int().min(0).max(limits.idleThresholdSeconds);
const Name = text(limits.nameChars).min(1);

const CooldownSeconds = z.int().min(0).max(limits.cooldownSeconds);

const bounds = {
  min_replicas: Replicas.describe(
    "Instances that the group has at least; 0: it is stopped when there is nothing to do",
  ),
  max_replicas: Replicas.describe("Instances that the group has at most"),
  idle_threshold_seconds: IdleThresholdSeconds.describe(
    "Seconds for which a job that has ended still counts",
  ),
};

/** Beyond Kelpie; each optional in a submission, with this default. */
const extras = {
  jobs_per_replica: z
    .int()
    .min(1)
    .max(limits.renewals)
    .describe("Jobs that one instance runs at once (KELPIE_SLOTS of its agent); default 1"),
  scale_up_cooldown_seconds: CooldownSeconds.describe("Seconds between two steps upwards; default 0"),
  scale_down_cooldown_seconds: CooldownSeconds.describe(
    "Seconds after the last step in either direction before instances are given up; default 900: SaladCloud needs 10 to 80 minutes to bring them up",
  ),
  paused: z.boolean().describe("The rule changes nothing for now; default false"),
};

/** What made the autoscaler look at a rule: the minute's cron, a job submitted to a group without instances, a person. */
export const ScalingTrigger = z.enum(["cron", "submission", "person"]);
export type ScalingTrigger = z.infer<typeof ScalingTrigger>;

/**
 * What the autoscaler did, or tried.
 * - `scale_up`, `scale_down`: asked SaladCloud for other replicas. `start`, `stop`: of the whole group.
 * - `drain`: held back jobs from idle agents to give their instances up, and then gave up none; `error` says why.
 * - `remove_rule`: the group is gone. `reallocate`: asked for another node in place of one that fails jobs.
 * - `none`: it could not decide, or can do nothing about jobs that wait; `error` says why.
 */
export const ScalingAction = z.enum([
  "scale_up",
  "scale_down",
  "start",
  "stop",
  "drain",
  "remove_rule",
  "reallocate",
  "none",
]);
export type ScalingAction = z.infer<typeof ScalingAction>;

/** How a container group grows and shrinks with its queue. One rule for each group of a user. */
export const NewScalingRule = z
  .object({
    container_group_id: Id.describe("Id of a container group of the credential's organization and project"),
    ...bounds,
    jobs_per_replica: extras.jobs_per_replica.default(1),
    scale_up_cooldown_seconds: extras.scale_up_cooldown_seconds.default(0),
    scale_down_cooldown_seconds: extras.scale_down_cooldown_seconds.default(900),
    paused: extras.paused.default(false),
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
  .object({ ...bounds, ...extras })
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, {
    error: `give at least one of ${[...Object.keys(bounds), ...Object.keys(extras)].join(", ")}`,
  });
export type ScalingRulePatch = z.infer<typeof ScalingRulePatch>;

export const ScalingRule = z.object({
  container_group_id: z.string().describe("Id of the container group, and of the rule"),
  ...bounds,
  ...extras,
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

/** What a decision was made from, as far as it got. */
export const ScalingInputs = z
  .object({
    pending: z.int().describe("Jobs that wait; counted up to a bound, as the next"),
    running: z.int().describe("Jobs that run"),
    ended: z.int().describe("Jobs that ended within `idle_threshold_seconds`"),
    min_replicas: z.int().describe("The rule's minimum"),
    max_replicas: z.int().describe("The rule's maximum"),
    jobs_per_replica: z.int().describe("Jobs that one instance runs at once"),
    status: z.string().describe("The group's, on SaladCloud"),
    replicas: z.int().describe("What the group was asked to have; of a stopped one: will have"),
    instances: z
      .object({
        allocating: z.int().describe("Without a node yet"),
        creating: z.int().describe("On their way"),
        running: z.int().describe("Running"),
        stopping: z.int().describe("On their way out"),
      })
      .describe("By state, as SaladCloud counts them"),
    queue_paused: z
      .boolean()
      .describe("The container group is paused: jobs that wait are not handed out, and do not count"),
    quota_replicas: z.int().describe("Replicas that the organization's quota leaves to this group"),
    busy_nodes: z.int().describe("Nodes that hold a lease: no fewer replicas than these"),
    machine_id: z.string().describe("The node in whose place another one was asked for"),
    instance_id: z.string().describe("Its instance"),
  })
  .partial();
export type ScalingInputs = z.infer<typeof ScalingInputs>;

/** One decision on a rule. */
export const ScalingDecision = z.object({
  at: Time.describe("When it was made"),
  trigger: ScalingTrigger.describe(
    "What made the autoscaler look: the minute's cron, a submission, a person",
  ),
  action: ScalingAction.describe("What it did, or tried; `none`: everything stays as it is"),
  inputs: ScalingInputs.describe("What it was made from"),
  wanted: z
    .int()
    .nullable()
    .describe(
      "Replicas that the queue asks for, within the bounds and the quota; null: it did not get so far",
    ),
  replicas_before: z.int().nullable().describe("Replicas that the group had; null: not known"),
  replicas_after: z
    .int()
    .nullable()
    .describe("Replicas that it has from then on; null: as before, or not known"),
  reason: z.string().describe("Why, in words"),
  error: z.string().nullable().describe("What went wrong; null: nothing"),
});
export type ScalingDecision = z.infer<typeof ScalingDecision>;

/** Whoever misspells `dry_run` shall not have it done: what is not known is refused. */
export const EvaluationQuery = RuleOwnerQuery.extend({
  dry_run: z
    .enum(["true", "false"])
    .default("false")
    .describe("`true`: only tell what would be done now, and why"),
}).strict();
export type EvaluationQuery = z.infer<typeof EvaluationQuery>;

export const ScalingEvaluation = ScalingDecision.extend({
  dry_run: z.boolean().describe("It was only told, not done"),
});
export type ScalingEvaluation = z.infer<typeof ScalingEvaluation>;

/** A decision of the history: it changed something, or failed. */
export const ScalingHistoryEvent = ScalingDecision.extend({
  id: z.int().describe("Rises with each event"),
});
export type ScalingHistoryEvent = z.infer<typeof ScalingHistoryEvent>;

export const ScalingHistoryQuery = RuleOwnerQuery.extend({
  cursor: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional().describe("`next_cursor` of the page before"),
  limit: wholeNumber(1, limits.groupPage).default(50).describe("Events of one page, at most"),
});
export type ScalingHistoryQuery = z.infer<typeof ScalingHistoryQuery>;

export const ScalingHistory = z.object({
  _count: z.int().describe("Length of this page"),
  events: z
    .array(ScalingHistoryEvent)
    .describe("Newest first; the last 1,000 are kept, as long as ended jobs are"),
  next_cursor: z.int().nullable().describe("There may be more; null: this was the last page"),
});
export type ScalingHistory = z.infer<typeof ScalingHistory>;
