/** What can be told from the jobs' log at any moment: how far each job is, and who is at it. Pure. */
import type { SumEvent } from "./sum-log.ts";

export interface JobProgress {
  /** Machine of the latest run; absent: never started. */
  machine?: string;
  /** From which step the latest run began. */
  fromStep: number;
  step: number;
  /** How many runs there were. */
  runs: number;
  done: boolean;
}

export function progressOf(events: SumEvent[]): JobProgress {
  return events.reduce(advance, { fromStep: 0, step: 0, runs: 0, done: false });
}

/** The progress after one more event. */
export function advance(before: JobProgress, { event, machine, step }: SumEvent): JobProgress {
  const begins = event === "start" || event === "resume";
  return {
    machine,
    fromStep: begins ? step : before.fromStep,
    step,
    runs: before.runs + (begins ? 1 : 0),
    done: event === "done",
  };
}

/**
 * The machine whose loss hurts: in the middle of the job that is furthest, with checkpoints behind it and steps
 * ahead. Undefined: nobody is, at the moment.
 */
export function chooseVictim(
  jobs: { n: number; progress: JobProgress }[],
  alive: ReadonlySet<string>,
  steps: { before: number; after: number },
): string | undefined {
  return jobs
    .filter(
      ({ n, progress }) =>
        !progress.done &&
        progress.machine !== undefined &&
        alive.has(progress.machine) &&
        progress.step - progress.fromStep >= steps.before &&
        n - progress.step >= steps.after,
    )
    .sort((a, b) => b.progress.step - a.progress.step)[0]?.progress.machine;
}
