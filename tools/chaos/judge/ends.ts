/** Each job ends once: never not at all, never twice. */
import type { EndReport, WireEvent } from "../logs/wire-log.ts";
import type { ChaosJob } from "./evidence.ts";
import { answeredWell, isReport } from "./wire.ts";

export interface Ends {
  /** Names of jobs of which nobody's report of completion was accepted. */
  missing: string[];
  /** In words. */
  twice: string[];
  /** Reports of `failed`: a sum fails for no reason of its own, so a fault was counted against it. In words. */
  blamed: string[];
  /** Jobs whose end was reported, and whose reporter never heard the answer: the API was killed, and then the agent. */
  unheard: number;
}

export function judgeEnds(jobs: ChaosJob[], wire: WireEvent[]): Ends {
  const ends: Ends = { missing: [], twice: [], blamed: [], unheard: 0 };
  const reports = Map.groupBy(wire.filter(isReport), ({ job }) => job);
  const claims = Map.groupBy(
    wire.filter((event) => event.kind === "claim"),
    ({ granted }) => granted?.job,
  );
  for (const { id, name } of jobs) {
    const own = reports.get(id) ?? [];
    const completed = own.filter((report) => report.end === "completed" && answeredWell(report));
    const attempts = new Set(completed.map(({ attempt }) => attempt));
    if (attempts.size > 1) {
      ends.twice.push(`${name}: attempts ${[...attempts].join(" and ")} were both recorded as completed`);
    }
    if (attempts.size === 0) {
      if (own.some(wasPerhapsRecorded)) ends.unheard += 1;
      else ends.missing.push(name);
    }
    const endMs = Math.min(...completed.map(({ answeredMs }) => answeredMs ?? Number.POSITIVE_INFINITY));
    for (const { granted, headMs, node } of claims.get(id) ?? []) {
      // A repeated claim asks for what it got before.
      if (headMs > endMs && granted && !attempts.has(granted.attempt)) {
        ends.twice.push(`${name}: handed out to ${node} as attempt ${granted.attempt} after its end`);
      }
    }
    for (const { node, attempt } of own.filter((report) => report.end === "failed" && answeredWell(report))) {
      ends.blamed.push(`${name}: attempt ${attempt} on ${node} was recorded as failed`);
    }
  }
  return ends;
}

/** It reached the API in full, and no answer was seen. */
const wasPerhapsRecorded = ({ end, bodyMs, status }: EndReport) =>
  end === "completed" && bodyMs !== undefined && status === undefined;
