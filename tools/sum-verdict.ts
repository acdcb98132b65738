/** Whether one job of examples/sum was done right, by its output and its lines of the log. Pure. */
import type { SumEvent } from "./sum-log.ts";

/** 1 + 2 + … + n. */
export const sumTo = (n: number) => (n * (n + 1)) / 2;

/** What is wrong with `sum.json` as it lies in the bucket; undefined: it does not. */
export function judgeOutput(n: number, text: string | undefined): string[] {
  if (text === undefined) return ["has no output"];
  let output: unknown;
  try {
    output = JSON.parse(text);
  } catch {
    return [`its output is not JSON: ${text.slice(0, 100)}`];
  }
  const { n: steps, sum } = (output ?? {}) as { n?: unknown; sum?: unknown };
  if (steps !== n) return [`its output is for n = ${steps}, not ${n}`];
  if (sum !== sumTo(n)) return [`its sum is ${sum}, not ${sumTo(n)}`];
  return [];
}

/** What is wrong with the job's lines of the log. */
export function judgeEvents(n: number, events: SumEvent[]): string[] {
  const problems: string[] = [];
  if (!events.some(({ event, step }) => event === "done" && step === n)) problems.push("never got done");
  for (const { event, step, sum, machine } of events) {
    if (sum !== sumTo(step)) problems.push(`on ${machine}, ${event} at step ${step} with sum ${sum}`);
  }
  const computed = new Set(events.filter(({ event }) => event === "step").map(({ step }) => step));
  const skipped = Array.from({ length: n }, (_, index) => index + 1).filter((step) => !computed.has(step));
  if (skipped.length > 0) problems.push(`steps that nobody computed: ${skipped.join(", ")}`);
  return problems;
}

export interface StepCounts {
  computed: number;
  /** Computed although some run had computed them before. */
  twice: number;
  /** Time that went into steps, each counted once. */
  usefulMs: number;
}

export function countSteps(events: SumEvent[]): StepCounts {
  const counts: StepCounts = { computed: 0, twice: 0, usefulMs: 0 };
  const seen = new Set<number>();
  for (const { event, step, ms } of events) {
    if (event !== "step") continue;
    counts.computed += 1;
    if (seen.has(step)) counts.twice += 1;
    else counts.usefulMs += ms ?? 0;
    seen.add(step);
  }
  return counts;
}
