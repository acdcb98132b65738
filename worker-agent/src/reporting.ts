/**
 * Reports the end of an attempt until the API has recorded it or has said that it never will. A completion that cannot
 * be reported is retried as long as the attempt is current; it is never turned into anything else. Reports do not wait for
 * trust: the API's fence decides about them, and it takes a late one as long as nobody else holds the job.
 */
import type { ReportInput } from "../../src/contract/index.ts";
import type { ApiClient } from "./api/client.ts";
import { isRetryable } from "./api/fault.ts";
import { type ReportedEnd, sendReport } from "./api/reports.ts";
import type { Lease } from "./lease/lease.ts";
import type { Log } from "./log.ts";
import { backoffMs, pause } from "./pause.ts";
import type { Timings } from "./timings.ts";

/** What a report needs to know of its lease. */
export type ReportedLease = Pick<Lease, "jobId"> & { trust: Pick<Lease["trust"], "ended"> };

export interface Reporting {
  client: ApiClient;
  lease: ReportedLease;
  log: Log;
  timings: Timings;
  /** The API wants this node exchanged. */
  onReallocate: (reason: string) => void;
  /** Ends the tries: the agent is stopping and its time is up. */
  signal: AbortSignal;
}

/** True once the API has recorded this end, now or by an earlier try whose answer was lost. */
export async function reportEnd(
  reporting: Reporting,
  end: ReportedEnd,
  report: ReportInput,
): Promise<boolean> {
  const { client, lease, log, onReallocate, timings, signal } = reporting;
  const over = AbortSignal.any([signal, lease.trust.ended]);
  for (let tries = 1; !signal.aborted; tries++) {
    // The lease may have ended because an earlier try was applied; its reason then names our own end.
    if (lease.trust.ended.aborted) return endedWith(lease, end, log);
    const answer = await sendReport(client, lease.jobId, end, report, {
      timeoutMs: timings.callTimeoutMs,
      signal,
    });
    if (answer.ok) {
      log.info(`reported ${end}`, { reason: report.reason });
      if (answer.value.reallocate !== undefined) onReallocate(answer.value.reallocate);
      return true;
    }
    if (!isRetryable(answer.fault)) {
      const text = "report refused: this attempt is not current any more";
      // Canceled meanwhile is no trouble.
      const say = answer.reason === "canceled" ? log.info : log.warn;
      say(text, { end, fault: answer.fault, reason: answer.reason ?? answer.message });
      return answer.reason === end;
    }
    log.warn("report not delivered, will retry", { end, tries, reason: answer.message });
    await pause(backoffMs(tries, timings.retryFirstMs, timings.reportRetryCapMs), over);
  }
  log.warn("report given up: the agent is stopping", { end });
  return false;
}

function endedWith(lease: ReportedLease, end: ReportedEnd, log: Log): boolean {
  const reason = (lease.trust.ended.reason as Error).message;
  log.info("not reported: the lease has ended", { end, reason });
  return reason === end;
}
