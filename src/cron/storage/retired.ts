/** Retired generations lose what nobody keeps: series by series, the longest retired first (storage/snapshots/retention.ts). */
import { type RetiredRecord, readRetired, retiredStart } from "../../db/checkpoints/retired.ts";
import { purgeRetired } from "../../storage/snapshots/retention.ts";
import type { Budget } from "./budget.ts";
import type { StorageReport } from "./report.ts";

const pageSize = 100;

export async function sweepRetired({ ports, isSpent }: Budget, report: StorageReport): Promise<void> {
  let cursor = retiredStart;
  while (!isSpent()) {
    const [page] = await ports.d1.batch([readRetired(cursor, pageSize)]);
    const records = (page ?? []) as unknown as RetiredRecord[];
    const bySeries = Map.groupBy(records, ({ job_id, prefix }) => `${job_id} ${prefix}`);
    for (const series of bySeries.values()) {
      if (isSpent()) return;
      try {
        const { generations, objects, stuck } = await purgeRetired(ports, series);
        report.generations += generations;
        report.objects += objects;
        if (stuck) report.stuck += series.length;
      } catch (error) {
        // One series does not hold up the others.
        report.failed++;
        ports.log({
          severity: "warning",
          event: "storage_sweep_failed",
          jobId: series[0]?.job_id,
          detail: `retired: ${error}`,
        });
      }
    }
    const last = records.at(-1);
    if (!last || records.length < pageSize) return;
    // Goes on behind those that are stuck, too.
    cursor = { retired: last.retired, seq: last.seq };
  }
}
