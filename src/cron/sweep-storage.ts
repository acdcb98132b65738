import { workerPorts } from "../storage/worker-ports.ts";
import type { StorageReport } from "./storage/report.ts";
import { storageSweep } from "./storage/sweep.ts";

/** One pass over the bucket; says what it deleted, and what it could not. */
export async function sweepStorage(env: Env): Promise<StorageReport> {
  const report = await storageSweep(workerPorts(env));
  if (Object.values(report).some((count) => count > 0)) {
    const severity = report.failed > 0 || report.stuck > 0 ? "warning" : "info";
    console.log(JSON.stringify({ severity, event: "storage_swept", ...report }));
  }
  return report;
}
