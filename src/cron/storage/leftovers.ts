/** What dead attempts left: generations without a commit, outputs that nobody will ever see. Attempt by attempt, oldest first. */
import { deleteUnpublished, markSwept, readUnswept, type UnsweptRecord } from "../../db/storage/unswept.ts";
import { type AttemptPlace, outputsOfAttempt } from "../../storage/keys.ts";
import { sweepLeftovers } from "../../storage/snapshots/leftovers.ts";
import type { Budget } from "./budget.ts";
import { emptyPlace } from "./empty-place.ts";
import type { StorageReport } from "./report.ts";

/** URLs of an attempt expire 305 s after its last renewal at the latest, and its end comes after that; the rest is patience. */
export const leftoverGraceMs = 15 * 60_000;
const attemptsAtOnce = 100;

export async function sweepDeadAttempts({ ports, isSpent }: Budget, report: StorageReport): Promise<void> {
  const endedUntilMs = ports.nowMs() - leftoverGraceMs;
  const [page] = await ports.d1.batch([readUnswept(endedUntilMs, attemptsAtOnce)]);
  for (const record of (page ?? []) as unknown as UnsweptRecord[]) {
    if (isSpent()) return;
    try {
      const { objects, complete } = await sweepAttempt(ports, record);
      report.objects += objects;
      // What is too much for one pass goes on in the next, as long as it gets less.
      if (!complete && objects > 0) continue;
      await ports.d1.batch([markSwept(record.job_id, record.number)]);
      report.attempts++;
    } catch (error) {
      // One attempt does not hold up the others.
      report.failed++;
      ports.log({
        severity: "warning",
        event: "storage_sweep_failed",
        jobId: record.job_id,
        attempt: record.number,
        detail: `leftovers: ${error}`,
      });
    }
  }
}

async function sweepAttempt(
  ports: Budget["ports"],
  record: UnsweptRecord,
): Promise<{ objects: number; complete: boolean }> {
  const place: AttemptPlace = {
    userId: record.user_id,
    jobId: record.job_id,
    attempt: record.number,
  };
  const snapshots = await sweepLeftovers(ports, place);
  // The settle has published those of a completed attempt.
  if (record.end === "completed") return { objects: snapshots.objects, complete: !snapshots.truncated };
  await ports.d1.batch([deleteUnpublished(record.job_id, record.number)]);
  const outputs = await emptyPlace(ports.bucket, outputsOfAttempt(place));
  return {
    objects: snapshots.objects + outputs.objects,
    complete: outputs.complete && !snapshots.truncated,
  };
}
