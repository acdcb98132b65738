/** A day beside the same day as the original would have scaled it. */

import type { DayReport } from "./day.ts";
import { day } from "./day-plan.ts";

const hours = (ms: number) => `${(ms / 3_600_000).toFixed(1)} h`;
const minutes = (ms: number) => `${(ms / 60_000).toFixed(1)} min`;

export function ruleInWords({ scaleDownCooldown }: Pick<DayReport, "scaleDownCooldown">): string {
  const { minReplicas, maxReplicas, jobsPerReplica, idleThresholdSeconds } = day.rule;
  return `${minReplicas} to ${maxReplicas} replicas, ${jobsPerReplica} job each, idle threshold ${idleThresholdSeconds} s, scale-down cooldown ${scaleDownCooldown} s (ours alone)`;
}

/** Columns in the order of the reports. */
export function dayTable(reports: readonly DayReport[]): string[] {
  const leastMs = ({ workMs }: DayReport) => workMs / day.rule.jobsPerReplica;
  const rows: [string, (report: DayReport) => string][] = [
    ["jobs done", ({ done, jobs }) => `${done} of ${jobs}`],
    ["replica-hours, running (billed)", ({ runningMs }) => hours(runningMs)],
    ["mean speed of the billed machines", ({ meanSpeed }) => meanSpeed.toFixed(3)],
    ["least possible: every machine at speed 1", (report) => hours(leastMs(report))],
    ["least possible at that mean speed", (report) => hours(leastMs(report) / report.meanSpeed)],
    [
      "billed / least possible at it",
      (report) => ((report.runningMs * report.meanSpeed) / leastMs(report)).toFixed(2),
    ],
    ["replica-hours since allocation", ({ allocatedMs }) => hours(allocatedMs)],
    ["most replicas", ({ mostReplicas }) => String(mostReplicas)],
    [
      "lost to scale-in",
      ({ takenAway }) => `${takenAway.attempts} attempts, ${minutes(takenAway.workMs)} of work`,
    ],
    [
      "lost to interruptions",
      ({ interrupted }) => `${interrupted.attempts} attempts, ${minutes(interrupted.workMs)} of work`,
    ],
    [
      "machines that vanished",
      ({ interruptions, zombies }) => `${interruptions}, ${zombies} ran on as zombies`,
    ],
    [
      "Salad API calls",
      ({ saladRequests, mostRequestsPerMinute }) =>
        `${saladRequests}, at most ${mostRequestsPerMinute} in a minute`,
    ],
    [
      "  of those 429; failed otherwise",
      ({ saladTooMany, saladFailed }) => `${saladTooMany}; ${saladFailed}`,
    ],
    [
      "burst: first replicas asked for",
      ({ bursts }) => seconds(bursts.map(({ firstAskedMs }) => firstAskedMs)),
    ],
    ["burst: all replicas asked for", ({ bursts }) => seconds(bursts.map(({ askedMs }) => askedMs))],
    ["burst: a job runs", ({ bursts }) => seconds(bursts.map(({ startedMs }) => startedMs))],
    [
      "nothing left before each burst, at the end",
      ({ bursts, zeroAtEnd }) =>
        `${bursts.filter(({ zeroBefore }) => zeroBefore).length} of ${bursts.length}, ${zeroAtEnd ? "yes" : "no"}`,
    ],
    ["invariants of the queue", ({ violation }) => violation?.invariant ?? "all hold"],
  ];
  const names = reports.map(({ policy }) => (policy === "shipped" ? "ours" : "Kelpie's policy"));
  const cells = [
    ["", ...names],
    ...rows.map(([name, tell]) => [name, ...reports.map((report) => tell(report))]),
  ];
  const widths =
    cells[0]?.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0))) ?? [];
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Fastest, median, slowest. */
function seconds(times: (number | null)[]): string {
  const known = times.filter((ms) => ms !== null).sort((a, b) => a - b);
  const at = (share: number) => Math.round((known[Math.round(share * (known.length - 1))] ?? 0) / 1000);
  const missing = times.length - known.length;
  return `${at(0)} / ${at(0.5)} / ${at(1)} s${missing > 0 ? `, ${missing} never` : ""}`;
}

/** What is wrong with a day of the shipped autoscaler; empty: nothing. */
export function dayComplaints(report: DayReport): string[] {
  const { done, jobs, takenAway, bursts, zeroAtEnd, saladTooMany, violation } = report;
  return [
    ...(violation ? [`${violation.invariant}: ${violation.said}`, ...violation.events] : []),
    ...(done === jobs ? [] : [`${jobs - done} of ${jobs} jobs are not done`]),
    ...(takenAway.attempts === 0 ? [] : [`scale-in took ${takenAway.attempts} nodes that held a lease`]),
    ...bursts.flatMap(({ zeroBefore }, i) => (zeroBefore ? [] : [`something ran on until burst ${i + 1}`])),
    ...(zeroAtEnd ? [] : ["something ran on at the end"]),
    ...(saladTooMany === 0 ? [] : [`SaladCloud refused ${saladTooMany} requests for their number`]),
  ];
}
