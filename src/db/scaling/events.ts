/** The history of a rule: bounded, newest first. */
import type { ScalingAction, ScalingInputs, ScalingTrigger } from "../../contract/index.ts";
import type { Statement } from "../statement.ts";

/** Of each rule; older ones go with the next. */
export const keptEvents = 1_000;
/** What fails every minute is told once in so long. */
const sameAgainMs = 3_600_000;
const knownFailures = 20;

export interface NewScalingEvent {
  userId: string;
  containerGroupId: string;
  atMs: number;
  trigger: ScalingTrigger;
  action: ScalingAction;
  inputs: ScalingInputs;
  /** Null, as the next two: it did not get so far. */
  wanted: number | null;
  replicasBefore: number | null;
  replicasAfter: number | null;
  reason: string;
  /** What went wrong; null: nothing. */
  error: string | null;
}

/**
 * Records it, and lets go of what is beyond the newest of its rule. A failure that was told within the last hour is not written again, unless
 * something went well since; of failures that take turns so many are known. Index: scaling_events_by_rule.
 */
export function recordEvent(event: NewScalingEvent): Statement[] {
  const { userId, containerGroupId } = event;
  return [
    {
      sql: `INSERT INTO scaling_events (user_id, container_group_id, at, "trigger", action, inputs, wanted, replicas_before, replicas_after, reason, error)
            SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
            WHERE ?11 IS NULL OR NOT EXISTS (
              WITH latest AS (SELECT seq, action, error, at FROM scaling_events
                WHERE user_id = ?1 AND container_group_id = ?2 ORDER BY seq DESC LIMIT ${knownFailures})
              SELECT 1 FROM latest WHERE action = ?5 AND error = ?11 AND at > ?12
                AND seq > COALESCE((SELECT MAX(seq) FROM latest WHERE error IS NULL), 0))`,
      params: [
        ...[userId, containerGroupId, event.atMs, event.trigger, event.action, JSON.stringify(event.inputs)],
        ...[event.wanted, event.replicasBefore, event.replicasAfter, event.reason, event.error],
        event.atMs - sameAgainMs,
      ],
    },
    {
      sql: `DELETE FROM scaling_events WHERE user_id = ?1 AND container_group_id = ?2
              AND seq <= (SELECT seq FROM scaling_events WHERE user_id = ?1 AND container_group_id = ?2
                ORDER BY seq DESC LIMIT 1 OFFSET ?3)`,
      params: [userId, containerGroupId, keptEvents],
    },
  ];
}

/** A row as raw SQL returns it. */
export interface ScalingEventRecord {
  seq: number;
  at: number;
  trigger: ScalingTrigger;
  action: ScalingAction;
  /** JSON. */
  inputs: string;
  wanted: number | null;
  replicas_before: number | null;
  replicas_after: number | null;
  reason: string;
  error: string | null;
}

/** Before that one, newest first. Index: scaling_events_by_rule, whose order it is. */
export function listEvents(
  userId: string,
  containerGroupId: string,
  page: { beforeSeq: number; limit: number },
): Statement {
  return {
    sql: `SELECT seq, at, "trigger", action, inputs, wanted, replicas_before, replicas_after, reason, error FROM scaling_events
          WHERE user_id = ?1 AND container_group_id = ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?4`,
    params: [userId, containerGroupId, page.beforeSeq, page.limit],
  };
}

/** Removes so many that are older, and returns a row for each. Index: scaling_events_at. */
export function purgeEvents(untilMs: number, limit: number): Statement {
  return {
    sql: `DELETE FROM scaling_events WHERE seq IN (SELECT seq FROM scaling_events WHERE at <= ?1 ORDER BY at LIMIT ?2) RETURNING 1`,
    params: [untilMs, limit],
  };
}
