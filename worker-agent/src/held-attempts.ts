/**
 * What this agent holds, in a private file beside the state file: so that the next agent in the same container can finish what this one
 * could not, because it was killed or could not reach the API (recovery.ts). Protocol: docs/processes.md.
 *
 * Guarantees: an attempt is in the file before its lease is first renewed, a run's id before the command starts, an end before it is first
 * reported; and it is gone once the API knows the end. Written whole (beside, then renamed), and at once: it is small, and each of these orders
 * matters. Only this user reads it, since it carries lease tokens.
 */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { limits, Report, type ReportInput } from "../../src/contract/index.ts";
import { type ReportedEnd, reportedEnds } from "./api/reports.ts";
import { type Log, reasonOf } from "./log.ts";
import type { FamilyHead } from "./process-family.ts";
import { readBootId } from "./process-table.ts";

const HeldAttempt = z.object({
  job_id: z.string().min(1),
  attempt: z.int(),
  lease_token: z.string(),
  /** Marks the processes of the command. */
  run_id: z.string().min(16),
  /** The command's first process, once it runs. */
  head: z.object({ pid: z.int().min(2), start: z.int() }).optional(),
  /** How it ended, once that is to be reported. */
  report: z.object({ end: z.enum(reportedEnds), body: Report }).optional(),
});
export type HeldAttempt = Omit<z.infer<typeof HeldAttempt>, "report"> & {
  report?: { end: ReportedEnd; body: ReportInput };
};

const HeldFile = z.object({
  /** Of the machine's run in which the pids mean something. */
  boot_id: z.string().optional(),
  // An agent that crashes again and again while the API is away leaves no more than this.
  attempts: z.array(HeldAttempt).transform((attempts) => attempts.slice(-limits.renewals)),
  /** Jobs given back because an agent died while it ran them here, and not ended here since. */
  fallen: z.array(z.string()).default([]),
});
export interface Left {
  attempts: HeldAttempt[];
  fallen: string[];
}

/** An agent that remembers more than these has other troubles. */
const fallenMax = 64;

/** One attempt in the file. */
export interface HeldRecord {
  /** The command runs. */
  started(head: FamilyHead): void;
  /** Given back since the agent before us died with it; remembered until an attempt of its job has run here and ended. */
  fell(): void;
  /** It has ended so, and the API is about to be told. */
  ending(report: NonNullable<HeldAttempt["report"]>): void;
  /** The API knows, or nobody needs to. */
  drop(): void;
}

export class HeldAttempts {
  readonly #path: string;
  readonly #log: Log;
  readonly #attempts = new Set<HeldAttempt>();
  readonly #fallen = new Set<string>();
  #warned = false;

  /** `stateFile`: the public one; this one lies beside it. */
  constructor(stateFile: string, log: Log) {
    this.#path = heldFileOf(stateFile);
    this.#log = log;
  }

  /** Writes the attempt down. */
  hold(attempt: HeldAttempt): HeldRecord {
    const record = this.#add(attempt);
    this.#write();
    return record;
  }

  /** Takes over all that an agent before us left, in one write: at no moment does the file name less than it did. */
  adopt({ attempts, fallen }: Left): { attempt: HeldAttempt; record: HeldRecord }[] {
    const adopted = attempts.map((attempt) => ({ attempt, record: this.#add(attempt) }));
    this.#rememberFallen(fallen);
    if (attempts.length > 0 || fallen.length > 0) this.#write();
    return adopted;
  }

  #add(attempt: HeldAttempt): HeldRecord {
    const entry = { ...attempt };
    this.#attempts.add(entry);
    return {
      started: (head) => {
        entry.head = head;
        this.#write();
      },
      ending: (report) => {
        entry.report = report;
        this.#write();
      },
      fell: () => {
        this.#attempts.delete(entry);
        this.#rememberFallen([entry.job_id]);
        this.#write();
      },
      drop: () => {
        this.#attempts.delete(entry);
        // Given back before its command has run, it has not shown that this agent survives it.
        if (entry.head) this.#fallen.delete(entry.job_id);
        this.#write();
      },
    };
  }

  /** Adds to the jobs that fell with an agent here. */
  #rememberFallen(jobIds: string[]): void {
    for (const id of jobIds) this.#fallen.add(id);
    for (const id of [...this.#fallen].slice(0, -fallenMax)) this.#fallen.delete(id);
  }

  #write(): void {
    const temporary = `${this.#path}.${process.pid}.tmp`;
    try {
      if (this.#attempts.size === 0 && this.#fallen.size === 0) {
        rmSync(this.#path, { force: true });
        return;
      }
      const content = { boot_id: readBootId(), attempts: [...this.#attempts], fallen: [...this.#fallen] };
      rmSync(temporary, { force: true }); // a mode is only given to a file that is made
      writeFileSync(temporary, JSON.stringify(content), { mode: 0o600, flag: "wx" });
      renameSync(temporary, this.#path);
    } catch (error) {
      // Jobs can do without it; it is missed only after a crash.
      if (!this.#warned)
        this.#log.warn("what the agent holds is not written down", { reason: reasonOf(error) });
      this.#warned = true;
    }
  }
}

/** Where it lies. */
export function heldFileOf(stateFile: string): string {
  return `${stateFile}.held`;
}

/** What an agent before us left, pids only of this run of the machine; nothing when it left nothing, or nothing legible. */
export async function readHeldAttempts(stateFile: string, log: Log): Promise<Left> {
  const path = heldFileOf(stateFile);
  try {
    const { boot_id, attempts, fallen } = HeldFile.parse(JSON.parse(await readFile(path, "utf8")));
    const isThisRun = boot_id !== undefined && boot_id === readBootId();
    return {
      attempts: attempts.map((attempt) => (isThisRun ? attempt : { ...attempt, head: undefined })),
      fallen,
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      log.warn("what an agent before us held cannot be read", { path, reason: reasonOf(error) });
    }
    return { attempts: [], fallen: [] };
  }
}
