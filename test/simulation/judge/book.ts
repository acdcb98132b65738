/** What the judge knows of each job, from the changes of D1's rows and of the object's, and from what was asked and told. */
import type { Holder } from "./holder.ts";

export interface AttemptBook {
  number: number;
  machineId: string | null;
  /** The claim id, or the call of an old worker, that was told it; null: nobody so far. */
  grantedTo: string | null;
  /** Held by an old worker: no token. */
  old: boolean;
  /** Until when the API has promised the lease to its holder. */
  promisedUntilMs: number;
  /** When the last renewal was accepted. */
  renewedMs: number | null;
  termMs: number;
  /** What its holder, or an old worker of its machine, has asked to be recorded. */
  reported: Set<string>;
  /** The API has seen that somebody has it. */
  acknowledged: boolean;
  /** Its claim was applied after the object had been told an error. */
  landedLate: boolean;
  end: string | null;
  endedMs: number | null;
  holder: Holder | null;
}

export interface JobBook {
  id: string;
  seq: number;
  createdMs: number;
  priority: number;
  /** Uses managed storage. */
  managed: boolean;
  fresh: number;
  status: string;
  attempt: number;
  /** Since when it has been pending without a pause. */
  pendingSinceMs: number;
  /** When a report was last answered ok. */
  settledMs: number;
  /** Since when D1 and the rows have disagreed about it; null: they agree. */
  disagreeSinceMs: number | null;
  /** When D1's row last changed. */
  changedMs: number;
  /** When a row of the object last came or went. */
  rowChangedMs: number;
  attempts: Map<number, AttemptBook>;
  /** By machine: until when it must not have this job. */
  bans: Map<string, number>;
  /** When one of them was last lifted. */
  banLiftedMs: number;
  /** Machines that reported an end although nobody had claimed the job. */
  unclaimedReports: Map<string, string>;
  unclaimedFailures: number;
  /** "machine kind": those of them that D1 has recorded, and the last one. */
  unclaimedEnds: Set<string>;
  unclaimedEnd: string | null;
  /** "machine kind": reports of old workers, which name no attempt. */
  machineReports: Set<string>;
  numFailures: number;
  numInterruptions: number;
  cancelAsked: boolean;
  /** The object's storage was lost, or D1 was cleared, while this job was open: rows and D1 may disagree for a while. */
  disturbed: boolean;
  gone: boolean;
}

export interface RowBook {
  jobId: string;
  attempt: number;
  phase: string;
  opId: string;
  /** Null also for rows that were adopted. */
  claimId: string | null;
  /** In this phase since then. */
  sinceMs: number;
}

export const terminal = (status: string) =>
  status === "completed" || status === "failed" || status === "canceled";

export class Book {
  readonly jobs = new Map<string, JobBook>();
  /** Those that wait, for the rules about the queue. */
  readonly pending = new Map<string, JobBook>();
  /** The object's rows, by job. */
  readonly rows = new Map<string, RowBook>();
  /** "job/attempt" of claims that D1 has answered with an error and may still apply. */
  readonly lateClaims = new Set<string>();
  /** "job/attempt" of claims by old workers. */
  readonly oldClaims = new Set<string>();
  /** What each claim was told last. */
  readonly grants = new Map<string, { jobId: string; attempt: number }>();
  /** Claim ids that have had a row: a repeat of one gets that row's job or nothing. */
  readonly spentClaims = new Set<string>();
  /** Operations that have stood on a row. */
  readonly intents = new Set<string>();
  /** Since when the group is paused, as its people have been told; null: it is not. */
  pausedSinceMs: number | null = null;
  /** When somebody last wanted it resumed. */
  resumedMs = Number.NEGATIVE_INFINITY;
  /** Machines that were told to go, and when, as far as the object's storage goes back. */
  toldToGo: { machineId: string; atMs: number }[] = [];
  /** All that ever asked for work. */
  readonly machines = new Set<string>();
  #seq = 0;

  add(id: string, createdMs: number, priority: number, managed: boolean): JobBook {
    const job: JobBook = {
      id,
      seq: ++this.#seq,
      createdMs,
      priority,
      managed,
      fresh: 1,
      status: "pending",
      attempt: 0,
      pendingSinceMs: createdMs,
      settledMs: 0,
      disagreeSinceMs: null,
      changedMs: createdMs,
      rowChangedMs: 0,
      attempts: new Map(),
      bans: new Map(),
      banLiftedMs: 0,
      unclaimedReports: new Map(),
      unclaimedFailures: 0,
      unclaimedEnds: new Set(),
      unclaimedEnd: null,
      machineReports: new Set(),
      numFailures: 0,
      numInterruptions: 0,
      cancelAsked: false,
      disturbed: false,
      gone: false,
    };
    this.jobs.set(id, job);
    this.pending.set(id, job);
    return job;
  }

  job(id: string): JobBook {
    const job = this.jobs.get(id);
    if (!job) throw new Error(`the simulation does not know job ${id}`);
    return job;
  }

  attempt(jobId: string, number: number | undefined): AttemptBook | undefined {
    return number === undefined ? undefined : this.jobs.get(jobId)?.attempts.get(number);
  }

  open(): JobBook[] {
    return [...this.jobs.values()].filter((job) => !job.gone && !terminal(job.status));
  }
}
