import { type Severity, writeLog } from "../log.ts";

/** Every event that the API logs, by name. One JSON line each: Workers Logs indexes its fields. Never a secret. */
export type LogEvent =
  /** Salad's API did not tell whether a container group exists; the rule for it was not made. */
  | "salad_group_unverified"
  /** A request that was not answered with 2xx. */
  | "request"
  /** A group's object was not told of new jobs; the next claim finds them within 2 s all the same. */
  | "jobs_added_hint_lost"
  /** Jobs came to a group without agents, and the autoscaler could not look; the minute's pass will. */
  | "scaling_on_submission_failed"
  /** Salad did not say whether a key is good; known callers go on, others wait. */
  | "salad_unavailable"
  /** The keys that sign nodes' tokens could not be fetched; those at hand go on. */
  | "node_keys_unavailable"
  /** Salad's list of groups was not kept; the next one will be. */
  | "salad_groups_not_recorded"
  /** A job was answered with D1's heartbeat, since its group's object could not be asked. */
  | "live_lease_unknown"
  /** A group's object was not told of a pause or its end: its claims are refused, or its agents find work with their next poll. */
  | "pause_hint_lost"
  /** `GET /ready` found no database. */
  | "database_unreachable"
  /** The database failed in the middle of a long page of jobs; the client got part of it and a broken connection. */
  | "list_broken_off";

/** Writes one line to the console's level of that severity. */
export function log(severity: Severity, event: LogEvent, facts: Record<string, unknown>): void {
  writeLog({ severity, event, ...facts });
}

/** An error with its causes, as plain data. */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack, cause } = error;
  return { name, message, stack, ...(cause === undefined ? {} : { cause: describeError(cause) }) };
}
