/**
 * The claim in D1: moves a pending job to a new attempt. The object has written its intent before (rule 1), so the
 * fence here is D1's own word: still pending, no newer attempt, machine not banned, group not paused.
 */
import type { NodeFacts } from "../../contract/index.ts";
import { groupIsPaused } from "../groups/pause.ts";
import type { Statement } from "../statement.ts";
import { recordEvent } from "../webhooks/outbox.ts";

export interface ClaimWrite {
  opId: string;
  jobId: string;
  attempt: number;
  machineId: string;
  instanceId: string | null;
  nowMs: number;
  /** The job has a webhook. */
  webhook: boolean;
  /** What the agent told of its node; null: nothing. */
  node: Partial<NodeFacts> | null;
}

/**
 * First statement: the fenced update; its rows are the claimed job, whole. Then the attempt and what the webhook is told, hanging on the
 * operation id, because an update of 0 rows does not stop its batch (rule 2).
 */
export function claimJob(write: ClaimWrite): Statement[] {
  return [
    {
      // Index: jobs_id; the ban check: the key of bans; the pause's: the key of groups. `started` keeps the first hand-out.
      sql: `UPDATE jobs SET status = 'running', attempt = ?2, machine_id = ?3, started = COALESCE(started, ?4),
              heartbeat = ?4, last_op = ?5
            WHERE id = ?1 AND status = 'pending' AND attempt < ?2 AND available_at <= ?4
              AND NOT EXISTS (SELECT 1 FROM bans WHERE job_id = ?1 AND machine_id = ?3 AND expires > ?4)
              AND NOT ${groupIsPaused}
            RETURNING *`,
      params: [write.jobId, write.attempt, write.machineId, write.nowMs, write.opId],
    },
    {
      sql: `INSERT INTO attempts (job_id, number, machine_id, instance_id, claimed, unswept, node)
            SELECT id, attempt, machine_id, ?2, ?3, managed, ?5 FROM jobs WHERE id = ?1 AND last_op = ?4`,
      params: [
        write.jobId,
        write.instanceId,
        write.nowMs,
        write.opId,
        write.node === null ? null : JSON.stringify(write.node),
      ],
    },
    ...(write.webhook ? [recordEvent(write.jobId, write.opId, write.nowMs, false)] : []),
  ];
}

/**
 * The job as it is now; the reader compares `last_op` with its operation (rule 3). `paused` 1: its group hands out nothing, which may be
 * why a claim was refused. Indexes: jobs_id, the key of groups.
 */
export function readJob(jobId: string): Statement {
  return { sql: `SELECT *, ${groupIsPaused} AS paused FROM jobs WHERE id = ?1`, params: [jobId] };
}
