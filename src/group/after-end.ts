/** What follows once D1 has recorded an end: the queue's page is stale, somebody may be waiting, somebody must hear of it. */
import { bansMachine } from "../domain/ends.ts";
import type { GroupContext } from "./context.ts";
import type { Ended } from "./intents.ts";

export function afterEnd(ctx: GroupContext, { write, job }: Ended): void {
  const { kind, jobId, attempt, machineId } = write;
  if (write.webhook !== false) ctx.ports.outbox?.written(jobId);
  if (bansMachine(kind) && machineId !== null && attempt > 0) {
    ctx.machines.failed(machineId, jobId, attempt, write.nowMs);
  }
  // Whoever reported the end knows of it.
  if (machineId !== null && attempt > 0 && (kind === "canceled" || kind === "interrupted")) {
    ctx.ports.agents?.ended({ jobId, attempt, machineId }, kind === "canceled" ? "canceled" : "superseded");
  }
  if (kind === "completed" || kind === "canceled") return;
  if (job?.status === "failed") {
    if (kind === "interrupted" || kind === "stalled") {
      ctx.ports.log({ severity: "warning", event: "job_quarantined", jobId, attempt });
    }
    return;
  }
  // Back in the queue, before fresh jobs; or so it must be supposed.
  const nowMs = ctx.ports.nowMs();
  if (job && job.availableMs > nowMs) {
    ctx.rows.wakeAt(jobId, job.availableMs);
    ctx.armAlarm(job.availableMs);
    return;
  }
  ctx.head.invalidate();
  // Not the machine that has just had it, if there is another: it is banned, stopping, or gone.
  ctx.ports.agents?.wake(1, machineId);
}
