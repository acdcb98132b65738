/**
 * Decides whether the jobs were done right, from what they themselves left behind: their append-only log and their
 * outputs. Asks nothing of the API, whose word is what is on trial. Pure: facts in, verdict out.
 */
import type { SumEvent, SumLog } from "../sum-log.ts";
import { countSteps, judgeEvents, judgeOutput } from "../sum-verdict.ts";

export interface Evidence {
  jobs: { id: string; name: string; n: number }[];
  log: SumLog;
  /** Job id → its `sum.json` as it lies in the bucket; absent: there is none. */
  outputs: Map<string, string>;
  nodes: NodeLife[];
}

/** Wall clock, in milliseconds since the epoch. */
export interface NodeLife {
  machine: string;
  startedMs: number;
  /** Absent: it lived to the end. */
  killedMs?: number;
}

/** A job cut short on one node and taken up by another. */
export interface Resumption {
  name: string;
  from: string;
  to: string;
  /** The last step that was computed before, and the one from which it went on. */
  reachedStep: number;
  resumedStep: number;
  /** Absent where the first node was not killed (it gave the job back, or lost it). */
  killToResumeMs?: number;
}

export interface Verdict {
  /** Empty: every result is right. */
  failures: string[];
  rightSums: number;
  resumptions: Resumption[];
  stepsNeeded: number;
  stepsComputed: number;
  stepsTwice: number;
  /** Time that went into steps, each counted once, however often it was computed. */
  usefulMs: number;
  /** From each node's start to its end (or the last job's), summed. */
  nodeMs: number;
}

/** One process's work on one job. */
interface Run {
  machine: string;
  events: SumEvent[];
}

export function judge({ jobs, log, outputs, nodes }: Evidence): Verdict {
  const failures = log.unreadable.map((line) => `The log has a line that is no event: ${line.slice(0, 200)}`);
  const known = new Set(jobs.map(({ id }) => id));
  for (const { job } of log.events)
    if (!known.has(job)) failures.push(`The log tells of an unknown job "${job}"`);

  const verdict: Verdict = {
    failures,
    rightSums: 0,
    resumptions: [],
    stepsNeeded: jobs.reduce((total, { n }) => total + n, 0),
    stepsComputed: 0,
    stepsTwice: 0,
    usefulMs: 0,
    nodeMs: sumNodeMs(nodes, log.events),
  };
  for (const job of jobs) {
    const events = log.events.filter((event) => event.job === job.id);
    const problems = [...judgeOutput(job.n, outputs.get(job.id)), ...judgeEvents(job.n, events)];
    failures.push(...problems.map((problem) => `${job.name}: ${problem}`));
    if (problems.length === 0) verdict.rightSums += 1;
    const { computed, twice, usefulMs } = countSteps(events);
    verdict.stepsComputed += computed;
    verdict.stepsTwice += twice;
    verdict.usefulMs += usefulMs;
    verdict.resumptions.push(...findResumptions(job.name, runsOf(events), nodes));
  }
  return verdict;
}

/** In order of their first lines. A process id alone could come again on another node. */
function runsOf(events: SumEvent[]): Run[] {
  const runs = new Map<string, Run>();
  for (const event of events) {
    const key = `${event.machine} ${event.pid}`;
    const run = runs.get(key) ?? { machine: event.machine, events: [] };
    run.events.push(event);
    runs.set(key, run);
  }
  return [...runs.values()];
}

function findResumptions(name: string, runs: Run[], nodes: NodeLife[]): Resumption[] {
  return runs.slice(1).map((run, index) => {
    const before = runs[index];
    const first = run.events[0];
    const killedMs = nodes.find(({ machine }) => machine === before?.machine)?.killedMs;
    const wasKilled = killedMs !== undefined && first !== undefined && killedMs <= first.time;
    return {
      name,
      from: before?.machine ?? "",
      to: run.machine,
      reachedStep: Math.max(0, ...(before?.events ?? []).map(({ step }) => step)),
      resumedStep: first?.step ?? 0,
      killToResumeMs: wasKilled ? first.time - killedMs : undefined,
    };
  });
}

/** Once the last job is done, idle nodes are nobody's waste. */
function sumNodeMs(nodes: NodeLife[], events: SumEvent[]): number {
  const endMs = Math.max(0, ...events.filter(({ event }) => event === "done").map(({ time }) => time));
  return nodes.reduce(
    (total, { startedMs, killedMs }) => total + Math.max(0, Math.min(killedMs ?? endMs, endMs) - startedMs),
    0,
  );
}
