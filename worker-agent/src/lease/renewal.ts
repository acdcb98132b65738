/**
 * Renews every lease that this agent holds, those of finished jobs that still upload included, in one call each
 * quarter of the shortest term: three losses fit inside it. A fresh lease is renewed at once, since its grant is
 * provisional until then. It never gives a lease up by itself: only the API's word or Trust does.
 */
import type { ApiClient } from "../api/client.ts";
import { renewLeases } from "../api/leases.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { backoffMs, pause } from "../pause.ts";
import type { Timings } from "../timings.ts";
import type { Lease } from "./lease.ts";

export interface RenewalSettings {
  client: ApiClient;
  identity: Config["identity"];
  clock: Clock;
  log: Log;
  timings: Timings;
}

export class Renewals {
  readonly #settings: RenewalSettings;
  readonly #held = new Set<Lease>();
  #wake = new AbortController();

  constructor(settings: RenewalSettings) {
    this.#settings = settings;
  }

  /** Renews this lease from now on, first at once. */
  hold(lease: Lease): void {
    this.#held.add(lease);
    this.renewNow();
  }

  /** The attempt has ended; its lease is renewed no more. */
  letGo(lease: Lease): void {
    this.#held.delete(lease);
    lease.trust.close();
  }

  /** Cuts the wait for the next renewal short. */
  renewNow(): void {
    this.#wake.abort();
  }

  /** Somebody says that this lease has ended: asks at once, if it is held here. */
  doubt(jobId: string, attempt: number): void {
    const held = [...this.#held].some((lease) => lease.jobId === jobId && lease.attempt === attempt);
    if (held) this.renewNow();
  }

  /** The loop; runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const woken = AbortSignal.any([signal, this.#wake.signal]);
      const leases = [...this.#held];
      if (leases.length === 0) {
        await pause(idleMs, woken);
        continue;
      }
      const termMs = Math.min(...leases.map((lease) => lease.termMs));
      const renewed = await this.#renew(leases, callTimeoutMs(termMs), failures + 1, signal);
      failures = renewed ? 0 : failures + 1;
      // Several tries fit into what is left of the term, whatever its length.
      const retryCapMs = Math.min(5_000, termMs / 10);
      const { retryFirstMs } = this.#settings.timings;
      await pause(
        renewed ? (termMs / 4) * (0.9 + Math.random() / 10) : backoffMs(failures, retryFirstMs, retryCapMs),
        woken,
      );
    }
  }

  async #renew(leases: Lease[], timeoutMs: number, tries: number, signal: AbortSignal): Promise<boolean> {
    const { client, identity, clock, log } = this.#settings;
    const sentAt = clock.mark();
    const request = {
      ...identity,
      leases: leases.map(({ jobId, attempt, token, progress }) => ({
        job_id: jobId,
        attempt,
        lease_token: token,
        command_started: progress.commandStarted,
        progress: progress.count,
        progress_report: progress.newest,
        uploading: progress.uploading,
      })),
    };
    const answer = await renewLeases(client, request, { timeoutMs, signal });
    if (!answer.ok) {
      // An API that is away for an hour shall not fill the container's log.
      const level = Number.isInteger(Math.log2(tries)) ? "warn" : "debug";
      if (!signal.aborted)
        log[level]("renewal failed", { tries, fault: answer.fault, reason: answer.message });
      return false;
    }
    for (const lease of leases) {
      if (!this.#held.has(lease)) continue; // its end was reported meanwhile
      const told = answer.value.leases.find(
        (entry) => entry.job_id === lease.jobId && entry.attempt === lease.attempt,
      );
      if (told?.status === "running") {
        if (told.lease_seconds) lease.termMs = told.lease_seconds * 1000;
        lease.trust.renewed(sentAt, lease.termMs);
      } else if (told?.status === "canceled") {
        lease.trust.end(told.reason ?? "canceled");
        this.letGo(lease);
      }
    }
    return true;
  }
}

/** Nothing is held: only `hold` and the end of the agent matter, and both wake the loop. */
const idleMs = 3_600_000;

/** A stalled connection must leave time for another try. */
function callTimeoutMs(termMs: number): number {
  return Math.min(10_000, Math.max(1_000, termMs / 4));
}
