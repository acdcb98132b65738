/**
 * The outbox: one row per event that happened and was wanted, none for what did not happen, numbered without holes. What happened the judge
 * reads off the jobs' own rows, change by change; the outbox's rows it compares at the end of each transaction.
 */
import type { WebhookEvent } from "../../../src/contract/index.ts";
import type { JobChange } from "./d1-rules.ts";
import type { Verdict } from "./verdict.ts";

/** Kelpie's. */
const byDefault: readonly WebhookEvent[] = ["running", "completed", "failed"];

interface Told {
  number: number;
  event: string;
  attempt: number;
}

interface JobOutbox {
  wanted: readonly string[];
  happened: Told[];
  told: Told[];
}

export class OutboxRules {
  readonly #verdict: Verdict;
  readonly #jobs = new Map<string, JobOutbox>();
  readonly #touched = new Set<string>();
  readonly #ids = new Set<string>();
  /** Rows that were ever written. */
  events = 0;

  constructor(verdict: Verdict) {
    this.#verdict = verdict;
  }

  /** A job with a webhook. `wanted` null: what Kelpie tells. */
  submitted(jobId: string, wanted: readonly WebhookEvent[] | null): void {
    this.#jobs.set(jobId, { wanted: wanted ?? byDefault, happened: [], told: [] });
  }

  /** `numFailures`: before the change. */
  moved(change: JobChange, numFailures: number): void {
    const { was, status, attempt } = change;
    const event = eventOf(change, numFailures);
    if (event === null || (was.status === status && was.attempt === attempt)) return;
    const job = this.#jobs.get(change.id);
    if (!job?.wanted.includes(event)) return;
    job.happened.push({ number: job.happened.length + 1, event, attempt });
    this.#touched.add(change.id);
  }

  /** A job and all about it is gone. */
  removed(jobId: string): void {
    const job = this.#jobs.get(jobId);
    if (job) job.happened = [];
    this.#touched.add(jobId);
  }

  added(jobId: string, id: string, told: Told): void {
    this.events++;
    this.#verdict.require("webhook ids are unique", jobId, !this.#ids.has(id), () => id);
    this.#ids.add(id);
    const job = this.#jobs.get(jobId);
    this.#verdict.require("who wants no webhook gets none", jobId, job !== undefined, () => told.event);
    job?.told.push(told);
    this.#touched.add(jobId);
  }

  deleted(jobId: string, number: number): void {
    const job = this.#jobs.get(jobId);
    if (job) job.told = job.told.filter((told) => told.number !== number);
    this.#touched.add(jobId);
  }

  transactionEnded(): void {
    for (const jobId of this.#touched) {
      const job = this.#jobs.get(jobId);
      if (!job) continue;
      const [happened, told] = [textOf(job.happened), textOf(job.told)];
      this.#verdict.require(
        "the outbox tells what happened",
        jobId,
        happened === told,
        () => `happened: ${happened}; told: ${told}`,
      );
    }
    this.#touched.clear();
  }
}

/** What such a change is to a webhook; null: nothing. */
function eventOf({ was, status, numFailures }: JobChange, numFailuresBefore: number): string | null {
  if (status !== "pending") return status;
  // A person's retry brings it back from an end; a failure with tries left is none of Kelpie's news.
  return was.status === "running" && numFailures === numFailuresBefore ? "interrupted" : null;
}

const textOf = (events: Told[]) =>
  events.map(({ number, event, attempt }) => `${number} ${event}/${attempt}`).join(", ");
