/** How the judge learns of rows: triggers on the shipped tables, in D1 and in the object's storage. */
import type { Database } from "../world/database.ts";
import { attemptAdded, attemptChanged, banChanged } from "./attempt-rules.ts";
import { type D1Context, jobChanged, jobRemoved } from "./d1-rules.ts";
import { type ObjectContext, rowAdded, rowMoved, rowRemoved } from "./object-rules.ts";

export function watchD1(database: Database, ctx: D1Context): void {
  database.watch(
    "job_changed",
    "UPDATE OF status, attempt, num_failures, num_interruptions ON jobs",
    [
      "NEW.id",
      "OLD.status",
      "OLD.attempt",
      "NEW.status",
      "NEW.attempt",
      "NEW.machine_id",
      "NEW.num_failures",
    ].concat(["NEW.num_interruptions", "NEW.fresh"]),
    (id, wasStatus, wasAttempt, status, attempt, machineId, numFailures, numInterruptions, fresh) =>
      jobChanged(ctx, {
        id: id as string,
        was: { status: wasStatus as string, attempt: wasAttempt as number },
        status: status as string,
        attempt: attempt as number,
        machineId: machineId as string | null,
        numFailures: numFailures as number,
        numInterruptions: numInterruptions as number,
        fresh: fresh as number,
      }),
  );
  database.watch("job_removed", "DELETE ON jobs", ["OLD.id", "OLD.status"], (id, status) =>
    jobRemoved(ctx, id as string, status as string),
  );
  database.watch(
    "attempt_added",
    "INSERT ON attempts",
    ["NEW.job_id", "NEW.number", "NEW.machine_id"],
    (jobId, number, machineId) =>
      attemptAdded(ctx, jobId as string, number as number, machineId as string | null),
  );
  database.watch(
    "attempt_changed",
    'UPDATE OF "end", acknowledged ON attempts',
    ["NEW.job_id", "NEW.number", 'OLD."end"', 'NEW."end"', "NEW.ended", "NEW.acknowledged"],
    (jobId, number, wasEnd, end, endedMs, acknowledgedMs) =>
      attemptChanged(ctx, {
        jobId: jobId as string,
        number: number as number,
        wasEnd: wasEnd as string | null,
        end: end as string | null,
        endedMs: endedMs as number | null,
        acknowledgedMs: acknowledgedMs as number | null,
      }),
  );
  database.watch(
    "delivery_added",
    "INSERT ON deliveries",
    ["NEW.job_id", "NEW.id", "NEW.number", "NEW.event", "NEW.attempt"],
    (jobId, id, number, event, attempt) =>
      ctx.outbox.added(jobId as string, id as string, {
        number: number as number,
        event: event as string,
        attempt: attempt as number,
      }),
  );
  database.watch("delivery_deleted", "DELETE ON deliveries", ["OLD.job_id", "OLD.number"], (jobId, number) =>
    ctx.outbox.deleted(jobId as string, number as number),
  );
  const banned = (jobId: unknown, machineId: unknown, expires: unknown) =>
    banChanged(ctx, jobId as string, machineId as string, expires as number | null);
  database.watch("ban_added", "INSERT ON bans", ["NEW.job_id", "NEW.machine_id", "NEW.expires"], banned);
  database.watch("ban_moved", "UPDATE ON bans", ["NEW.job_id", "NEW.machine_id", "NEW.expires"], banned);
  database.watch("ban_lifted", "DELETE ON bans", ["OLD.job_id", "OLD.machine_id", "NULL"], banned);
}

export function watchStorage(storage: Database, ctx: ObjectContext): void {
  storage.watch(
    "row_added",
    "INSERT ON leases",
    ["NEW.job_id", "NEW.attempt", "NEW.phase", "NEW.op_id", "NEW.token", "NEW.claim_id"],
    (jobId, attempt, phase, opId, token, claimId) =>
      rowAdded(ctx, {
        jobId: jobId as string,
        attempt: attempt as number,
        phase: phase as string,
        opId: opId as string,
        old: token === null,
        claimId: claimId as string | null,
      }),
  );
  storage.watch(
    "row_moved",
    "UPDATE OF phase, op_id ON leases",
    ["NEW.job_id", "NEW.attempt", "NEW.phase", "NEW.op_id"],
    (jobId, attempt, phase, opId) =>
      rowMoved(ctx, jobId as string, attempt as number, phase as string, opId as string),
  );
  storage.watch("row_removed", "DELETE ON leases", ["OLD.job_id", "OLD.attempt"], (jobId, attempt) =>
    rowRemoved(ctx, jobId as string, attempt as number),
  );
}
