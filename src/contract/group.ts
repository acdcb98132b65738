/** Container groups as people see them: what waits, what runs, and why what waits does wait (docs/operations.md). */
import { z } from "zod";
import { JobStatus } from "./job.ts";
import { limits } from "./limits.ts";
import { ScalingDecision } from "./scaling.ts";
import { Id, wholeNumber } from "./text.ts";
import { Time } from "./time.ts";

/** Id of a container group in a path. */
export const GroupId = Id;

/** Whose group: for the admin, who else sees his own. */
const user_id = z.uuid().optional().describe("The admin may name a user; default: his own groups");

export const GroupQuery = z.object({ user_id });
export type GroupQuery = z.infer<typeof GroupQuery>;

export const GroupListQuery = z.object({
  user_id,
  cursor: Id.optional().describe("`next_cursor` of the page before"),
  limit: wholeNumber(1, limits.groupPage).default(50).describe("Groups of one page, at most"),
});
export type GroupListQuery = z.infer<typeof GroupListQuery>;

/** What may have been set for a group. */
export const GroupPause = z.object({
  container_group_id: z.string().describe("Id of the group"),
  paused: Time.nullable().describe("Since when nothing new is handed out; null: it is"),
});
export type GroupPause = z.infer<typeof GroupPause>;

export const GroupSummary = GroupPause.extend({
  user_id: z.string().describe("Whose group it is"),
  jobs: z
    .object({
      pending: z.int().describe("Waiting"),
      running: z.int().describe("Held by an attempt"),
      completed: z.int().describe("Ended so, and not yet purged"),
      failed: z.int().describe("Ended so, and not yet purged"),
      canceled: z.int().describe("Ended so, and not yet purged"),
    })
    .describe("Jobs by status, counted up to a bound"),
  at_least: z.array(JobStatus).describe("Statuses of which there are more than `jobs` says"),
  oldest_pending: Time.nullable().describe(
    "When the oldest pending job was submitted; null: none is pending",
  ),
  scaling: z
    .object({
      min_replicas: z.int().describe("Instances that the group has at least"),
      max_replicas: z.int().describe("Instances that the group has at most"),
      idle_threshold_seconds: z.int().describe("Seconds for which a job that has ended still counts"),
      updated: Time.describe("When the rule was last changed"),
      paused: z.boolean().describe("The rule changes nothing for now"),
      active: z
        .boolean()
        .describe("Rules are acted on at all: false where the deployment has no SALAD_API_KEY"),
      last_decision: ScalingDecision.pick({
        at: true,
        action: true,
        replicas_after: true,
        reason: true,
        error: true,
      })
        .nullable()
        .describe("The last decision that changed something or failed; null: there was none"),
    })
    .nullable()
    .describe("Its scaling rule; null: none"),
});
export type GroupSummary = z.infer<typeof GroupSummary>;

export const GroupList = z.object({
  _count: z.int().describe("Length of this page"),
  groups: z.array(GroupSummary).describe("In the order of their ids"),
  next_cursor: z.string().nullable().describe("There may be more; null: this was the last page"),
});
export type GroupList = z.infer<typeof GroupList>;

/**
 * - `waiting`: asked and found nothing, or waits on its socket.
 * - `busy`: runs jobs and asks for no more.
 * - `idle`: neither; it is about to ask, or is stopping.
 * - `draining`: shall claim no more.
 */
export const AgentState = z.enum(["waiting", "busy", "idle", "draining"]);
export type AgentState = z.infer<typeof AgentState>;

export const SeenAgent = z.object({
  machine_id: z.string().describe("Machine that it runs on"),
  instance_id: z.string().nullable().describe("Null: it names none, as old workers"),
  seen: Time.describe("When it was last heard of"),
  state: AgentState.describe("What it does"),
  sockets: z.int().describe("Sockets that it keeps open"),
  jobs: z
    .array(
      z.object({
        job_id: z.uuid().describe("Id of the job"),
        attempt: z.int().describe("Number of the attempt"),
      }),
    )
    .describe("Jobs whose lease it holds"),
});
export type SeenAgent = z.infer<typeof SeenAgent>;

export const PendingCode = z.enum([
  "paused",
  "retry_delay",
  "no_agent_seen",
  "agents_draining",
  "agents_banned",
  "agents_too_old",
  "agents_busy",
  "not_scaled",
]);
export type PendingCode = z.infer<typeof PendingCode>;

export const PendingReason = z.object({
  code: PendingCode.describe("The reason, for programs"),
  message: z.string().describe("The same in words"),
  job_id: z.uuid().optional().describe("The job that it is about; absent: all that wait"),
  since: Time.optional().describe("Since when, where that is known"),
  until: Time.optional().describe("When it ends by itself"),
});
export type PendingReason = z.infer<typeof PendingReason>;

export const GroupStatus = GroupSummary.extend({
  front: z
    .object({
      job_id: z.uuid().describe("Id of the job"),
      created: Time.describe("When it was queued"),
      priority: z.int().describe("Higher is handed out first"),
      attempt: z.int().describe("Number of its last attempt; 0: none yet"),
    })
    .nullable()
    .describe("The job that is handed out next; null: none could be"),
  delayed: z.int().describe("Of the pending jobs: those that wait for their retry delay"),
  next_available: Time.nullable().describe("When the first of these delays is over"),
  why: z.array(PendingReason).describe("Why pending jobs are not handed out; empty: nothing is in the way"),
  agents: z.array(SeenAgent).describe("Heard of lately, the last ones first, at most 1,000"),
  watched_since: Time.describe("Agents that only poll are known from then on"),
  bans: z
    .array(
      z.object({
        job_id: z.uuid().describe("The job"),
        machine_id: z.string().describe("The machine that does not get it"),
        until: Time.describe("When the ban ends"),
      }),
    )
    .describe("Of the first jobs of the queue: machines that failed them"),
});
export type GroupStatus = z.infer<typeof GroupStatus>;
