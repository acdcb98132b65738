import { countLost, type Verdict } from "./judge/judge.ts";

export interface RunFacts {
  seed: number;
  seconds: number;
}

const inSeconds = (ms: number) => (ms / 1000).toFixed(1);

/** The last words of a run. */
export function reportOf(verdict: Verdict, { seed, seconds }: RunFacts): string {
  const { zombies, steps, recoveries } = verdict;
  const faults = [...recoveries.values()];
  const injected = sum(faults.map((fault) => fault.injected));
  const combined = sum(faults.map((fault) => fault.combined));
  const rows: [string, string][] = [
    ["seed", String(seed)],
    ["faults injected", `${injected} (${combined} of them together with another one)`],
    ...faultRows(verdict),
    ["jobs submitted", String(verdict.jobs)],
    ["jobs completed", String(verdict.completed)],
    ["jobs lost", String(countLost(verdict))],
    ["ended twice", String(verdict.endedTwice.length)],
    [
      "zombie effects refused",
      `${zombies.refusedReports + zombies.refusedRenewals} (${zombies.refusedReports} reports, ${zombies.refusedRenewals} renewals); ${zombies.brokenOffWrites} writes broken off`,
    ],
    [
      "zombie effects let through",
      `${zombies.letThrough.length}; ${zombies.landedLate} writes under way at the hand-over landed`,
    ],
    ["checkpoints forgotten", String(verdict.lostKnowledge.length)],
    ["steps computed twice", `${steps.twice} (${steps.computed} computed, ${steps.needed} needed)`],
    ["other broken promises", String(verdict.other.length)],
    ["all of it took", `${seconds.toFixed(0)} s`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length)) + 3;
  return [
    "Judged from the jobs' own log, the wire between agents and API, and the storage's log:",
    "",
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}${value}`),
  ].join("\n");
}

/** A line per kind: how many, and how long it was felt. */
function faultRows({ recoveries }: Verdict): [string, string][] {
  return [...recoveries].map(([kind, { injected, recoveredMs, riddenOut }]) => {
    const felt = recoveredMs.length > 0 ? spread(recoveredMs) : "";
    const where =
      kind === "API killed"
        ? `  answering again after ${felt}`
        : `  ${recoveredMs.length} jobs went on elsewhere${felt && ` after ${felt}`}; ${riddenOut} stayed`;
    return [`  ${kind}`, `${String(injected).padStart(3)}${injected > 0 ? where : ""}`];
  });
}

/** Smallest, middle and largest. */
function spread(all: number[]): string {
  const sorted = all.toSorted((one, other) => one - other);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  const [least, most] = [sorted[0] ?? 0, sorted.at(-1) ?? 0];
  return `${inSeconds(least)} / ${inSeconds(middle)} / ${inSeconds(most)} s (min / median / max)`;
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
