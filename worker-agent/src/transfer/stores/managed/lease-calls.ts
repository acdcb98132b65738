/**
 * Calls of the API about managed storage, under the lease of one attempt: each carries its proof, and is repeated until the
 * API has answered. What the answers mean is decided here alone:
 *
 * - none, 5xx, 408, 429, 401, 403: the API's bad moment, or a key that a person may mend: tried again, for longer than any
 *   lease lasts. In an outage trust lapses before that, and the transfer waits for it.
 * - 409 with a reason that speaks of the lease: it has ended. Everything of this attempt ends.
 * - any other 4xx is about the request, and comes back as a CallRefused.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { z } from "zod";
import type { LeaseProof, RefusalReason } from "../../../../../src/contract/index.ts";
import type { ApiClient } from "../../../api/client.ts";
import { type Failure, isRetryable } from "../../../api/fault.ts";
import { backoffMs } from "../../../pause.ts";
import { CallRefused, Ended } from "../../failures.ts";
import { type EffectGate, TransferError, type TransferLease } from "../../ports.ts";

export interface LeaseCallSettings {
  api: ApiClient;
  identity: Pick<LeaseProof, "machine_id" | "container_group_id">;
  /** Default 330,000; see TransferSettings. */
  apiPatienceMs?: number;
  backoffBaseMs: number;
}

/** The reasons for a refusal that speak of the lease; others are about what was asked. */
const leaseEnds = new Set<RefusalReason>([
  "superseded",
  "not_holder",
  "completed",
  "failed",
  "canceled",
  "unknown_job",
]);

/** The API's own work; it reads no more than names. */
const callTimeoutMs = 20_000;
const patienceDefaultMs = 330_000;
const backoffCapMs = 10_000;

export interface LeaseCall<T> {
  /** Below `/jobs/:id`, such as `/storage/grants`. */
  path: string;
  body: object;
  answer: z.ZodType<T>;
  signal: AbortSignal;
  timeoutMs?: number;
  /** Called before each try is sent. */
  onSend?: () => void;
}

export class LeaseCalls {
  readonly #settings: LeaseCallSettings;
  readonly #lease: TransferLease;
  readonly #gate: EffectGate;

  constructor(settings: LeaseCallSettings, lease: TransferLease, gate: EffectGate) {
    this.#settings = settings;
    this.#lease = lease;
    this.#gate = gate;
  }

  /** @throws Ended, CallRefused for an answer about the request, TransferError when patience has run out. */
  async call<T>({ path, body, answer, signal, timeoutMs = callTimeoutMs, onSend }: LeaseCall<T>): Promise<T> {
    const { api, identity, apiPatienceMs = patienceDefaultMs, backoffBaseMs } = this.#settings;
    const { jobId, attempt, token } = this.#lease;
    const call = {
      method: "POST" as const,
      path: `/jobs/${encodeURIComponent(jobId)}${path}`,
      body: { ...identity, attempt, lease_token: token, ...body },
      answer,
      timeoutMs,
      signal,
    };
    const beganMs = performance.now();
    for (let failures = 1; ; failures += 1) {
      signal.throwIfAborted();
      onSend?.();
      const answered = await api.call(call);
      if (answered.ok) return answered.value;
      signal.throwIfAborted();
      if (!isRetryable(answered.fault)) throw this.#refused(answered);
      const waitMs = backoffMs(failures, backoffBaseMs, backoffCapMs);
      if (performance.now() + waitMs - beganMs > apiPatienceMs) {
        throw new TransferError("storage", `the API's managed storage (${path}): ${answered.message}`);
      }
      await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  #refused({ status, message, reason }: Failure): Error {
    if (reason === undefined || !leaseEnds.has(reason)) return new CallRefused(status ?? 400, message);
    this.#gate.end(reason);
    return new Ended(new Error(`the lease has ended: ${reason}`));
  }
}
