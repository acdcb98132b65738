/**
 * Claims the next job: by polling, rarely where the API wakes us over the socket. A claim whose answer was lost is repeated with the same `claim_id`, so that an attempt granted
 * but never heard of is not left to expire; any answer ends that id.
 */
import { randomUUID } from "node:crypto";
import type { ApiClient } from "./api/client.ts";
import { claimJob, type LeasedJob } from "./api/work.ts";
import type { Clock, Mark } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";
import { backoffMs, jittered, pause } from "./pause.ts";
import type { WorkSignals } from "./socket/work-signals.ts";
import type { Timings } from "./timings.ts";

export interface ClaimSettings {
  client: ApiClient;
  config: Pick<Config, "identity" | "instanceId" | "pollMs" | "maxRetries" | "maxIdleMs">;
  clock: Clock;
  log: Log;
  timings: Timings;
  signals: WorkSignals;
  /** No claim starts after this aborts… */
  stopping: AbortSignal;
  /** …but one under way may end, so that its job is given back; until this. */
  stopped: AbortSignal;
}

/** `over`: to be called when nothing of the job is left on this node. */
export type NextJob =
  | { kind: "job"; job: LeasedJob; over: () => void }
  | { kind: "stopping" }
  | { kind: "idle" };

/** Waits for a job. `idle`: there was none for `maxIdleMs`. */
export async function nextJob(settings: ClaimSettings): Promise<NextJob> {
  settings.signals.lookForWork();
  try {
    return await lookForJob(settings);
  } finally {
    settings.signals.stopLooking();
  }
}

async function lookForJob(settings: ClaimSettings): Promise<NextJob> {
  const { client, config, clock, log, timings, signals, stopping } = settings;
  const since = clock.mark();
  const isIdle = () => config.maxIdleMs > 0 && since.awakeMs() >= config.maxIdleMs;
  let claimId = randomUUID();
  let failures = 0;
  while (!stopping.aborted) {
    if (await drained(settings)) {
      if (isIdle()) return { kind: "idle" };
      continue;
    }
    const over = signals.claimBegins();
    const answer = await claimJob(
      client,
      { ...config.identity, instance_id: config.instanceId, claim_id: claimId },
      { timeoutMs: timings.callTimeoutMs, signal: settings.stopped },
    );
    if (answer.ok) {
      const [job] = answer.value;
      if (job) return { kind: "job", job, over };
      failures = 0;
    } else {
      failures++;
      // Brief trouble is the network's business; beyond the configured retries somebody should know.
      const say = failures > config.maxRetries ? log.error : log.warn;
      if (!stopping.aborted) say("claim failed", { failures, fault: answer.fault, reason: answer.message });
    }
    over();
    if (answer.ok || answer.fault === "invalid") claimId = randomUUID();
    if (isIdle()) return { kind: "idle" };
    await untilNextClaim(settings, since, failures);
  }
  return { kind: "stopping" };
}

/** Until the time is up, the API wakes us, or the agent stops. `failures`: claims that failed in a row. */
async function untilNextClaim(settings: ClaimSettings, since: Mark, failures: number): Promise<void> {
  const { config, log, timings, signals, stopping } = settings;
  while (!stopping.aborted) {
    const { changed } = signals;
    if (failures === 0) signals.wait();
    if (signals.woken) {
      log.debug("woken");
      return;
    }
    const waitMs =
      failures === 0
        ? jittered(pollIntervalMs(settings, since))
        : backoffMs(failures, timings.retryFirstMs, timings.claimRetryCapMs);
    const boundMs = config.maxIdleMs > 0 ? Math.min(waitMs, config.maxIdleMs) : waitMs;
    log.debug("no work", { connected: signals.connected, next_claim_seconds: Math.round(boundMs / 1000) });
    if (await pause(boundMs, AbortSignal.any([stopping, changed]))) return;
    // The socket came or went, or we shall drain.
    if (signals.draining) return;
  }
}

/** Whether the agent was told to claim no more; if so, some of that time has passed. */
async function drained({ config, timings, signals, stopping }: ClaimSettings): Promise<boolean> {
  const { changed } = signals;
  if (!signals.draining) return false;
  const lookMs = config.maxIdleMs > 0 ? Math.min(timings.drainLookMs, config.maxIdleMs) : timings.drainLookMs;
  await pause(lookMs, AbortSignal.any([stopping, changed]));
  return true;
}

function pollIntervalMs({ config, timings, signals }: ClaimSettings, since: Mark): number {
  if (signals.connected) return Math.max(config.pollMs, timings.connectedPollMs);
  const longIdleMs = since.awakeMs() - timings.idleBeforeSlowPollMs;
  if (longIdleMs <= 0) return config.pollMs;
  // Doubles with each further minute without work.
  const slowerMs = config.pollMs * 2 ** Math.min(10, 1 + longIdleMs / timings.idleBeforeSlowPollMs);
  return Math.max(config.pollMs, Math.min(slowerMs, timings.slowPollMs));
}
