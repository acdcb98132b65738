/** Everything of jobs that were purged or cleared, once nobody can write there any more. */
import { forgetGarbage, type GarbageRecord, readGarbage } from "../../db/storage/due-garbage.ts";
import type { Budget } from "./budget.ts";
import { emptyPlace } from "./empty-place.ts";
import type { StorageReport } from "./report.ts";

const placesAtOnce = 200;

export async function sweepGarbage({ ports, isSpent }: Budget, report: StorageReport): Promise<void> {
  const [page] = await ports.d1.batch([readGarbage(ports.nowMs(), placesAtOnce)]);
  for (const record of (page ?? []) as unknown as GarbageRecord[]) {
    if (isSpent()) return;
    try {
      const { objects, complete } = await emptyPlace(ports.bucket, record.prefix);
      report.objects += objects;
      if (!complete) continue;
      await ports.d1.batch([forgetGarbage(record)]);
      report.places++;
    } catch (error) {
      // One place does not hold up the others.
      report.failed++;
      ports.log({ severity: "warning", event: "storage_sweep_failed", detail: `${record.prefix}: ${error}` });
    }
  }
}
