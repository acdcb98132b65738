/**
 * Polls for the next job. A claim whose answer was lost is repeated with the same `claim_id`, so that an attempt granted
 * but never heard of is not left to expire; any answer ends that id.
 */
import { randomUUID } from "node:crypto";
import type { ApiClient } from "./api/client.ts";
import { claimJob, type LeasedJob } from "./api/work.ts";
import type { Clock, Mark } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";
import { backoffMs, jittered, pause } from "./pause.ts";
import type { Timings } from "./timings.ts";

export interface ClaimSettings {
  client: ApiClient;
  config: Pick<Config, "identity" | "instanceId" | "pollMs" | "maxRetries" | "maxIdleMs">;
  clock: Clock;
  log: Log;
  timings: Timings;
  /** No claim starts after this aborts… */
  stopping: AbortSignal;
  /** …but one under way may end, so that its job is given back; until this. */
  stopped: AbortSignal;
}

export type NextJob = { kind: "job"; job: LeasedJob } | { kind: "stopping" } | { kind: "idle" };

/** Waits for a job. `idle`: there was none for `maxIdleMs`. */
export async function nextJob(settings: ClaimSettings): Promise<NextJob> {
  const { client, config, clock, log, timings, stopping } = settings;
  const since = clock.mark();
  let claimId = randomUUID();
  let failures = 0;
  while (!stopping.aborted) {
    const answer = await claimJob(
      client,
      { ...config.identity, instance_id: config.instanceId, claim_id: claimId },
      { timeoutMs: timings.callTimeoutMs, signal: settings.stopped },
    );
    if (answer.ok) {
      const [job] = answer.value;
      if (job) return { kind: "job", job };
      failures = 0;
    } else {
      failures++;
      // Brief trouble is the network's business; beyond the configured retries somebody should know.
      const say = failures > config.maxRetries ? log.error : log.warn;
      if (!stopping.aborted) say("claim failed", { failures, fault: answer.fault, reason: answer.message });
    }
    if (answer.ok || answer.fault === "invalid") claimId = randomUUID();
    if (config.maxIdleMs > 0 && since.awakeMs() >= config.maxIdleMs) return { kind: "idle" };
    const waitMs = answer.ok
      ? jittered(pollIntervalMs(settings, since))
      : backoffMs(failures, timings.retryFirstMs, timings.claimRetryCapMs);
    await pause(config.maxIdleMs > 0 ? Math.min(waitMs, config.maxIdleMs) : waitMs, stopping);
  }
  return { kind: "stopping" };
}

function pollIntervalMs({ config, timings }: ClaimSettings, since: Mark): number {
  const longIdleMs = since.awakeMs() - timings.idleBeforeSlowPollMs;
  if (longIdleMs <= 0) return config.pollMs;
  // Doubles with each further minute without work.
  const slowerMs = config.pollMs * 2 ** Math.min(10, 1 + longIdleMs / timings.idleBeforeSlowPollMs);
  return Math.max(config.pollMs, Math.min(slowerMs, timings.slowPollMs));
}
