/**
 * An agent that starts where another one ended without having let go: killed, crashed, or stopped while the API could not be reached. First
 * whatever still runs of its commands is ended, before anything new is claimed; then each attempt's end is reported: the one that it had come
 * to, or else that it is given back. An API that says that it is over has the last word.
 *
 * A job may be what kills the agent, for example by taking all memory. A release clears the count of attempts that died early, so such a job
 * would go round for ever. So a job is given back at once the first time; should the agent die with it here again, its lease is left to lapse: then
 * the API sees an attempt that fell silent, and its quarantine judges.
 */
import type { ReportInput } from "../../src/contract/index.ts";
import type { ApiClient } from "./api/client.ts";
import type { Config } from "./config.ts";
import { type HeldAttempt, type HeldAttempts, type HeldRecord, readHeldAttempts } from "./held-attempts.ts";
import type { Log } from "./log.ts";
import { ProcessFamily } from "./process-family.ts";
import { readProcess } from "./process-table.ts";
import { reportEnd } from "./reporting.ts";
import type { Timings } from "./timings.ts";

export interface RecoverySettings {
  client: ApiClient;
  config: Pick<Config, "stateFile" | "identity">;
  log: Log;
  timings: Timings;
  held: HeldAttempts;
  /** The API wants this node exchanged. */
  onReallocate: (reason: string) => void;
  /** Ends the reports: the agent stops and their time is up. What is not told by then stays written down. */
  stopped: AbortSignal;
}

/** Resolves once nothing of an earlier agent's commands runs; the reports go on in the background until `reported` resolves. */
export async function recover(settings: RecoverySettings): Promise<{ reported: Promise<void> }> {
  const { config, held, log } = settings;
  const left = await readHeldAttempts(config.stateFile, log);
  const adopted = held.adopt(left);
  await Promise.all(left.attempts.map((attempt) => endProcesses(attempt, log)));
  const reports = adopted.map(async ({ attempt, record }) => {
    if (attempt.report || !left.fallen.includes(attempt.job_id)) return report(attempt, record, settings);
    log.warn("the agent has died with this job before: its lease is left to lapse", {
      job_id: attempt.job_id,
    });
    record.fell();
  });
  return { reported: Promise.all(reports).then(() => undefined) };
}

async function endProcesses({ job_id, attempt, run_id, head }: HeldAttempt, log: Log): Promise<void> {
  // The pid may be another's by now; then only the mark in the environment tells who is left.
  const living = head && readProcess(head.pid)?.start === head.start ? head : undefined;
  const family = new ProcessFamily(run_id, living);
  const found = family.look() ?? [];
  if (found.length === 0) return;
  const survivors = await family.kill();
  log.warn("ended what an agent before us had left running", {
    job_id,
    attempt,
    processes: found.length,
    survivors: survivors.length,
  });
}

async function report(attempt: HeldAttempt, record: HeldRecord, settings: RecoverySettings): Promise<void> {
  const { client, config, log, onReallocate, timings, stopped } = settings;
  const { end, body } = attempt.report ?? { end: "released" as const, body: givenBack(attempt, config) };
  // Nobody renews this lease any more, so nothing but the API's answer ends the tries: it takes a late report for as long as no other attempt
  // has begun.
  const lease = { jobId: attempt.job_id, trust: { ended: new AbortController().signal } };
  const attemptLog = log.with({ job_id: attempt.job_id, attempt: attempt.attempt });
  const told = await reportEnd(
    { client, lease, log: attemptLog, timings, onReallocate, signal: stopped },
    end,
    body,
  );
  if (told && !attempt.report) record.fell();
  // Given up because the agent stops, it is kept for the next start.
  else if (told || !stopped.aborted) record.drop();
}

function givenBack(
  { attempt, lease_token }: HeldAttempt,
  { identity }: Pick<Config, "identity">,
): ReportInput {
  return { ...identity, attempt, lease_token, reason: "the agent was restarted" };
}
