/**
 * The storage's cleaning, once a minute: three duties, each bounded, none holding up another. Everything that it deletes was
 * given up in D1 before: marked retired, left by an attempt that has ended, or listed as garbage.
 */
import type { StoragePorts } from "../../storage/ports.ts";
import { withBudget } from "./budget.ts";
import { sweepGarbage } from "./garbage.ts";
import { sweepDeadAttempts } from "./leftovers.ts";
import { emptyReport, type StorageReport } from "./report.ts";
import { sweepRetired } from "./retired.ts";

/** Calls of D1 and of the bucket, of each duty. */
const callsPerDuty = 300;

const duties = [sweepRetired, sweepDeadAttempts, sweepGarbage];

/** Never rejects: what fails is counted, and tried again by the next pass. */
export async function storageSweep(ports: StoragePorts): Promise<StorageReport> {
  const report = emptyReport();
  const outcomes = await Promise.allSettled(
    duties.map((duty) => duty(withBudget(ports, callsPerDuty), report)),
  );
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled") continue;
    report.failed++;
    ports.log({ severity: "warning", event: "storage_sweep_failed", detail: String(outcome.reason) });
  }
  return report;
}
