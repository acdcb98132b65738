import type { JobRow } from "./schema.ts";

/** A row as raw SQL returns it: snake_case columns, JSON as text, booleans as 0 and 1. */
export type SqlRecord = Record<string, unknown>;

const parsed = <T>(text: unknown): T | null => (text === null ? null : (JSON.parse(text as string) as T));

/** Maps `SELECT *` (or `RETURNING *`) of `jobs` to a row. The table's own types vouch for the casts. */
export function jobFromRecord(record: SqlRecord): JobRow {
  return {
    seq: record.seq as number,
    id: record.id as string,
    userId: record.user_id as string,
    containerGroupId: record.container_group_id as string,
    status: record.status as JobRow["status"],
    command: record.command as string,
    arguments: parsed<JobRow["arguments"]>(record.arguments) ?? [],
    environment: parsed<JobRow["environment"]>(record.environment) ?? {},
    sync: parsed(record.sync),
    legacyStorage: parsed(record.legacy_storage),
    webhook: record.webhook as string | null,
    webhookEvents: parsed(record.webhook_events),
    compression: record.compression === 1,
    priority: record.priority as number,
    maxFailures: record.max_failures as number,
    heartbeatInterval: record.heartbeat_interval as number,
    created: record.created as number,
    started: record.started as number | null,
    completed: record.completed as number | null,
    canceled: record.canceled as number | null,
    failed: record.failed as number | null,
    ended: record.ended as number | null,
    heartbeat: record.heartbeat as number | null,
    numFailures: record.num_failures as number,
    numHeartbeats: record.num_heartbeats as number,
    numInterruptions: record.num_interruptions as number,
    machineId: record.machine_id as string | null,
    stopSignal: record.stop_signal as JobRow["stopSignal"],
    stopGrace: record.stop_grace as number,
    timeout: record.timeout as number | null,
    stallTimeout: record.stall_timeout as number | null,
    progress: parsed(record.progress),
    retryDelay: record.retry_delay as number,
    availableAt: record.available_at as number,
    earlyDeaths: parsed<string[]>(record.early_deaths) ?? [],
    failedReason: record.failed_reason as string | null,
    attempt: record.attempt as number,
    fresh: record.fresh as number,
    lastOp: record.last_op as string | null,
    managed: record.managed === 1,
  };
}
