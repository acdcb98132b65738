/**
 * Decides whether the promises held, from what was left behind: the jobs' own log, the wire, the storage. Asks nothing of
 * the API, whose word is what is on trial. Pure: evidence in, verdict out.
 */
import { countSteps, judgeEvents, judgeOutput } from "../../sum-verdict.ts";
import type { FaultKind } from "../logs/fault-log.ts";
import { judgeEnds } from "./ends.ts";
import type { Evidence } from "./evidence.ts";
import { Grants } from "./grants.ts";
import { findLostKnowledge } from "./knowledge.ts";
import { measureRecovery, type Recovery } from "./recovery.ts";
import { judgeZombies, type Zombies } from "./zombies.ts";

export interface LostJob {
  name: string;
  why: string;
}

export interface Verdict {
  jobs: number;
  /** With the right output, and ended. */
  completed: number;
  lost: LostJob[];
  /** Each in words. */
  endedTwice: string[];
  lostKnowledge: string[];
  zombies: Zombies;
  /** Broken promises that have no line of their own. */
  other: string[];
  /** Ends that were reported and whose answer nobody heard. */
  endsUnheard: number;
  steps: { needed: number; computed: number; twice: number };
  recoveries: Map<FaultKind, Recovery>;
}

export function judge(evidence: Evidence): Verdict {
  const { jobs, log, wire, outputs } = evidence;
  const grants = new Grants(wire);
  const ends = judgeEnds(jobs, wire);
  const events = Map.groupBy(log.events, ({ job }) => job);
  const verdict: Verdict = {
    jobs: jobs.length,
    completed: 0,
    lost: ends.missing.map((name) => ({ name, why: "nobody's report of its end was accepted" })),
    endedTwice: ends.twice,
    lostKnowledge: findLostKnowledge(evidence, grants),
    zombies: judgeZombies(jobs, evidence, grants),
    other: [...ends.blamed, ...strangers(evidence)],
    endsUnheard: ends.unheard,
    steps: { needed: 0, computed: 0, twice: 0 },
    recoveries: measureRecovery(evidence, grants),
  };
  for (const { id, name, n } of jobs) {
    const own = events.get(id) ?? [];
    verdict.lost.push(...judgeOutput(n, outputs.get(id)).map((why) => ({ name, why })));
    verdict.other.push(...judgeEvents(n, own).map((problem) => `${name}: ${problem}`));
    const { computed, twice } = countSteps(own);
    verdict.steps.needed += n;
    verdict.steps.computed += computed;
    verdict.steps.twice += twice;
  }
  verdict.completed = jobs.length - countLost(verdict);
  return verdict;
}

/** A job can be lost for two reasons at once. */
export const countLost = ({ lost }: Pick<Verdict, "lost">) => new Set(lost.map(({ name }) => name)).size;

/** Every broken promise in words; empty: all were kept. */
export function brokenPromises(verdict: Verdict): string[] {
  const { lost, endedTwice, lostKnowledge, zombies, other } = verdict;
  const lostJobs = lost.map(({ name, why }) => `${name}: ${why}`);
  return [...lostJobs, ...endedTwice, ...lostKnowledge, ...zombies.letThrough, ...other];
}

function strangers({ jobs, log }: Evidence): string[] {
  const known = new Set(jobs.map(({ id }) => id));
  const unknown = new Set(log.events.map(({ job }) => job).filter((job) => !known.has(job)));
  return [
    ...log.unreadable.map((line) => `The log has a line that is no event: ${line.slice(0, 200)}`),
    ...[...unknown].map((job) => `The log tells of an unknown job "${job}"`),
  ];
}
